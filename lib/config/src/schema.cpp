#include "schema.hpp"

#include <cmath>

#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::config {

std::string below(const std::string& path, std::string_view key) {
  return path.empty() ? printable(key) : fmt::format("{}.{}", path, printable(key));
}

void unknown_key(const yaml::Member& member, const std::string& path, std::span<const std::string> keys) {
  const std::string near = nearest(member.key, keys);
  const std::string advice =
      near.empty() ? fmt::format("expected one of {}", join(keys, 100)) : fmt::format("nearest is '{}'", near);
  throw ConfigError(fmt::format("{}: {} is not a key; {}", member.place.text(), below(path, member.key), advice));
}

Cursor Cursor::child(const yaml::Member& member) const { return {member.value, below(path_, member.key), context_}; }
Cursor Cursor::item(std::size_t index) const {
  return {node_.items.at(index), fmt::format("{}[{}]", path_, index), context_};
}

void Cursor::fail(const std::string& text) const { throw ConfigError(fmt::format("{}: {}", node_.place.text(), text)); }
void Cursor::wrong(const std::string& expected) const {
  fail(path_.empty() ? fmt::format("{}; expected {}", node_.describe(), expected)
                     : fmt::format("{} = {}; expected {}", path_, node_.describe(), expected));
}

std::string Cursor::text() const {
  if (node_.kind != yaml::Node::Kind::scalar || node_.text.empty()) wrong("text");
  if (node_.text.find('\0') != std::string::npos) wrong("text without a zero byte");
  return node_.text;
}

void Cursor::wrong_name(std::string_view name, std::span<const std::string> names) const {
  fail(not_among(fmt::format("{} = {}", path_, node_.describe()), name, names));
}

std::int64_t Cursor::integer(const Whole& bounds) const {
  std::int64_t value = 0;
  const bool whole = node_.kind == yaml::Node::Kind::scalar && node_.plain && parse_whole(node_.text, value);
  if (!whole || value < bounds.least || value > bounds.most)
    wrong(bounds.most == Whole{0}.most ? fmt::format("an integer of at least {}", bounds.least)
                                       : fmt::format("an integer from {} to {}", bounds.least, bounds.most));
  return value;
}

std::uint64_t Cursor::seed() const { return static_cast<std::uint64_t>(integer(kSeed)); }

double Cursor::number(const Range& bounds) const {
  const auto& [least, most, open] = bounds;
  double value = 0;
  const bool whole = node_.kind == yaml::Node::Kind::scalar && node_.plain && parse_whole(node_.text, value);
  const bool inside = open ? value > least && value < most : value >= least && value <= most;
  if (!whole || !std::isfinite(value) || !inside) {
    const bool from = least > Range{}.least, to = most < Range{}.most;
    const std::string both = fmt::format("{}, {}", least, most);
    wrong(from && to ? "a number in " + (open ? "(" + both + ")" : "[" + both + "]")
          : from     ? fmt::format("a number of at least {}", least)
                     : "a number");
  }
  return value;
}

bool Cursor::truth() const {
  if (node_.kind == yaml::Node::Kind::scalar && node_.plain)
    if (const auto value = yaml::truth_of(node_.text)) return *value;
  wrong("true or false");
}

std::filesystem::path Cursor::input_path() const {
  const std::filesystem::path written = text();
  // What --set gives was typed in a shell: it means the working directory.
  return node_.place.line == 0 || written.is_absolute() ? written : context_.base / written;
}

std::vector<Cursor> Cursor::list() const {
  if (node_.kind != yaml::Node::Kind::sequence || node_.items.empty()) wrong("a list of one or more");
  std::vector<Cursor> cursors;
  for (std::size_t i = 0; i < node_.items.size(); ++i) cursors.push_back(item(i));
  return cursors;
}

std::vector<std::string> Cursor::texts() const {
  if (node_.kind == yaml::Node::Kind::scalar) return {text()};
  std::vector<std::string> out;
  for (const Cursor& one : list()) out.push_back(one.text());
  return out;
}

yaml::Node write_text(std::string_view text) { return yaml::Node::scalar(std::string(text), yaml::plain_text(text)); }

yaml::Node write_texts(std::span<const std::string> texts) {
  if (texts.empty()) return {};
  yaml::Node node = yaml::Node::sequence();
  for (const std::string& text : texts) node.items.push_back(write_text(text));
  return node;
}

yaml::Node write_integer(std::int64_t value) { return yaml::Node::scalar(fmt::format("{}", value)); }
yaml::Node write_seed(std::uint64_t value) { return yaml::Node::scalar(fmt::format("{}", value)); }
yaml::Node write_truth(bool value) { return yaml::Node::scalar(value ? "true" : "false"); }
yaml::Node write_number(double value) {
  std::string text = fmt::format("{}", value);
  // YAML 1.1 takes a number with an exponent for one only if it has a point.
  if (const std::size_t exponent = text.find('e'); exponent != std::string::npos && text.find('.') == std::string::npos)
    text.insert(exponent, ".0");
  return yaml::Node::scalar(std::move(text));
}

Json json_of(const yaml::Node& node) {
  if (node.kind == yaml::Node::Kind::sequence) {
    Json list = Json::array();
    for (const yaml::Node& item : node.items) list.push(json_of(item));
    return list;
  }
  if (node.kind != yaml::Node::Kind::scalar) return {};
  std::int64_t whole = 0;
  double number = 0;
  if (node.plain && parse_whole(node.text, whole)) return whole;
  if (node.plain && parse_whole(node.text, number)) return number;
  if (node.plain && (node.text == "true" || node.text == "false")) return node.text == "true";
  return node.text;
}

}  // namespace shiftnorm::config
