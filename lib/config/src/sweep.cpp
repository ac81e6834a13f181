#include "shiftnorm/config/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config_file.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/imaging/attributes.hpp"

namespace shiftnorm::config {
namespace {

namespace fs = std::filesystem;
using yaml::Member, yaml::Node;

constexpr std::size_t kLongestReadable = 80;

[[noreturn]] void fail(const yaml::Place& place, const std::string& what) {
  throw ConfigError(fmt::format("{}: {}", place.text(), what));
}

/// Folders may carry names of people.
std::string last_part(const std::string& text) {
  const std::string cut = fs::path(text).filename().string();
  return cut.empty() ? text : cut;
}

/// Whether data at `where` may identify patients: judged from outside, as nothing has been opened yet.
bool may_tell_patients(const fs::path& where) {
  return fs::is_directory(where)
             ? imaging::holds_dicom(where)
             : imaging::is_dicom_source(where) || where.extension() == ".csv" || where.extension() == ".tsv";
}

/// One value of one of a sweep's keys, in words for people.
struct Wording {
  std::string key;     ///< with all above it
  std::size_t number;  ///< the value's place in its list, from 1
  const ConfigOptions& options;

  /// What replaces a value that may identify a person or a place; empty: itself.
  [[nodiscard]] std::string stand_in(const std::string& text) const {
    const std::string last = key.substr(key.rfind('.') + 1);
    if (!key.starts_with("data.")) return {};
    if (last == "labels") return fmt::format("labels-{}", number);
    // With --set it is seen from the working directory.
    if (last == "path" && (may_tell_patients(options.root / text) || may_tell_patients(text)))
      return fmt::format("data-{}", number);
    return key.find(".where.") != std::string::npos && imaging::names_site(last) ? fmt::format("domain-{}", number)
                                                                                 : std::string();
  }

  /// "gaussian_noise: 3", "resnet20.th, cifar_resnet20": on one line.
  [[nodiscard]] std::string of(const Node& node) const {
    if (node.kind == Node::Kind::null) return "null";
    if (node.kind == Node::Kind::scalar) {
      const std::string other = stand_in(node.text);
      return other.empty() ? last_part(node.text) : other;
    }
    std::string out;
    for (const Node& item : node.items) out += fmt::format("{}{}", out.empty() ? "" : ", ", of(item));
    const bool of_values = key.ends_with(".label.map");  // its keys are what objects hold
    for (const Member& member : node.members)
      out += fmt::format("{}{}{}", out.empty() ? "" : ", ", of_values ? "" : member.key + ": ",
                         Wording{fmt::format("{}.{}", key, member.key), number, options}.of(member.value));
    return out.empty() ? "none" : out;
  }
};

std::string for_folder(std::string_view words) {
  std::string out;
  for (const char c : words) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
    if (plain || c == '_')
      out += c;
    else if (!out.ends_with('-'))
      out += '-';
  }
  return out;
}

bool inside(std::string_view key, std::string_view other) {
  return key == other || (key.size() > other.size() && key.starts_with(other) && key[other.size()] == '.');
}

/// The lists, checked for what no single run can detect.
std::vector<const Member*> lists_of(const Node& sweep) {
  if (sweep.kind != Node::Kind::map || sweep.members.empty())
    fail(sweep.place, fmt::format("sweep = {}; expected keys with lists, e.g. seed: [1, 2]", sweep.describe()));
  std::vector<const Member*> lists;
  std::size_t runs = 1;
  for (const Member& member : sweep.members) {
    const std::string& key = member.key;
    if (inside(key, "name") || inside(key, "sweep"))
      fail(member.place, fmt::format("sweep.{}: does not change what a run finds out; expected another key", key));
    for (const Member* other : lists)
      if (inside(key, other->key) || inside(other->key, key))
        fail(member.place, fmt::format("sweep.{}: one of it and {} is inside the other; expected one of them",
                                       printable(key), printable(other->key)));
    if (member.value.kind != Node::Kind::sequence || member.value.items.empty())
      fail(member.value.place,
           fmt::format("sweep.{} = {}; expected a list of one or more", printable(key), member.value.describe()));
    runs *= member.value.items.size();
    if (runs > kMostRuns) fail(member.place, fmt::format("sweep: more than {} runs; expected fewer", kMostRuns));
    lists.push_back(&member);
  }
  return lists;
}

SweepRun run_of(Node root, const std::vector<const Member*>& lists, std::size_t number, const std::string& file_name,
                const ConfigOptions& options) {
  SweepRun run;
  run.values.resize(lists.size());
  for (std::size_t i = lists.size(); i-- > 0;) {
    const Member& list = *lists[i];
    const std::size_t place = number % list.value.items.size();
    const Node& value = list.value.items[place];
    number /= list.value.items.size();
    yaml::set_at(root, list.key, list.place, value);
    run.values[i] = Wording{list.key, place + 1, options}.of(value);
  }
  run.config = config_of(root, file_name, options);
  for (std::size_t i = 0; i < lists.size(); ++i) {
    const std::string key = lists[i]->key.substr(lists[i]->key.rfind('.') + 1);
    const bool number_alone = lists[i]->value.items[0].kind == Node::Kind::scalar;
    run.readable += fmt::format("{}{}{}", run.readable.empty() ? "" : "_", number_alone ? key + "-" : "",
                                for_folder(run.values[i]));
  }
  if (run.readable.size() > kLongestReadable) run.readable.resize(kLongestReadable);
  return run;
}

}  // namespace

Sweep parse_sweep(std::string_view text, const std::string& file_name, const ConfigOptions& options) {
  Node root = config_tree(text, file_name, options);
  const auto at = std::ranges::find(root.members, "sweep", &Member::key);
  Sweep sweep;
  if (at == root.members.end()) {
    sweep.runs.push_back({config_of(root, file_name, options), {}, {}});
    sweep.name = sweep.runs[0].config.name;
    return sweep;
  }
  const Node asked = std::move(at->value);
  root.members.erase(at);
  const std::vector<const Member*> lists = lists_of(asked);
  std::size_t runs = 1;
  for (const Member* list : lists) {
    sweep.keys.push_back(list->key);
    runs *= list->value.items.size();
  }
  for (std::size_t number = 0; number < runs; ++number)
    sweep.runs.push_back(run_of(root, lists, number, file_name, options));
  sweep.name = sweep.runs[0].config.name;
  return sweep;
}

Sweep read_sweep(const std::filesystem::path& path, const ConfigOptions& options) {
  const ConfigFile file = read_config_file(path, options);
  return parse_sweep(file.text, file.name, file.options);
}

}  // namespace shiftnorm::config
