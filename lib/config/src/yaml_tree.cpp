#include "yaml_tree.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::config::yaml {
namespace {

[[noreturn]] void fail(const Place& place, const std::string& what) {
  throw ConfigError(fmt::format("{}: {}", place.text(), what));
}

std::size_t count(const Node& node) {
  std::size_t n = 1;
  for (const Node& item : node.items) n += count(item);
  for (const Member& member : node.members) n += count(member.value);
  return n;
}

std::size_t depth(const Node& node) {
  std::size_t deepest = 0;
  for (const Node& item : node.items) deepest = std::max(deepest, depth(item));
  for (const Member& member : node.members) deepest = std::max(deepest, depth(member.value));
  return deepest + 1;
}

/// Builds our nodes from the parser's events: yaml-cpp's own nodes hide a key given twice and expand aliases unseen.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::string source) : source_(std::move(source)) {}
  [[nodiscard]] Node take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node;
    node.place = place(mark);
    finish(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) fail(place(mark), "an alias inside the value that it names; expected a value");
    Node copy = found->second;
    nodes_ += count(copy) - 1;
    if (open_.size() + depth(copy) > kMaxDepth)
      fail(place(mark), fmt::format("more than {} levels of nesting", kMaxDepth));
    finish(std::move(copy), 0, place(mark));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(mark, tag);
    Node node = Node::scalar(value, tag == "?" || tag.empty());
    if (node.plain && (value == "~" || value == "null" || value == "Null" || value == "NULL" || value.empty()))
      node = Node{};
    node.place = place(mark);
    finish(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    start(mark, tag, anchor, Node::Kind::sequence);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    start(mark, tag, anchor, Node::Kind::map);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor = 0;
    bool has_key = false;
    std::string key;
    Place key_place;
  };

  [[nodiscard]] Place place(const YAML::Mark& mark) const { return {source_, mark.line + 1, mark.column + 1}; }

  void check_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (!tag.empty() && tag != "?" && tag != "!")
      fail(place(mark), fmt::format("tag '{}'; tags are not allowed here", printable(tag)));
  }

  void start(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Kind kind) {
    check_tag(mark, tag);
    if (open_.size() + 1 >= kMaxDepth) fail(place(mark), fmt::format("more than {} levels of nesting", kMaxDepth));
    if (!open_.empty() && open_.back().node.kind == Node::Kind::map && !open_.back().has_key)
      fail(place(mark), "a key that is a list or a map; expected a name");
    Open frame;
    frame.node.kind = kind;
    frame.node.place = place(mark);
    frame.anchor = anchor;
    open_.push_back(std::move(frame));
  }

  void close() {
    Open frame = std::move(open_.back());
    open_.pop_back();
    finish(std::move(frame.node), frame.anchor);
  }

  void finish(Node node, YAML::anchor_t anchor) {
    const Place here = node.place;
    finish(std::move(node), anchor, here);
  }
  void finish(Node node, YAML::anchor_t anchor, const Place& here) {
    if (++nodes_ > kMaxNodes) fail(here, fmt::format("more than {} values, aliases counted", kMaxNodes));
    if (anchor != 0) anchors_[anchor] = node;
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == Node::Kind::sequence) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.has_key) {
      if (node.kind != Node::Kind::scalar) fail(here, "a key that is not text; expected a name");
      for (const Member& member : parent.node.members)
        if (member.key == node.text)
          fail(here, fmt::format("key '{}' is given twice, first in line {}", printable(node.text), member.place.line));
      parent.key = node.text;
      parent.key_place = here;
      parent.has_key = true;
    } else {
      parent.node.members.push_back({std::move(parent.key), parent.key_place, std::move(node)});
      parent.has_key = false;
    }
  }

  std::string source_;
  Node root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Node> anchors_;
  std::size_t nodes_ = 0;
};

/// Detects what follows the first document.
class AnyDocument : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { throw mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

void move_to(Node& node, const Place& place) {
  node.place = place;
  for (Node& item : node.items) move_to(item, place);
  for (Member& member : node.members) {
    member.place = place;
    move_to(member.value, place);
  }
}

Node& child_of(Node& parent, const std::string& key, const Place& place) {
  if (parent.kind == Node::Kind::null) {
    parent.kind = Node::Kind::map;
    parent.place = place;
  }
  if (parent.kind == Node::Kind::sequence) {
    std::size_t index = 0;
    if (!parse_whole(key, index) || index >= parent.items.size())
      fail(place, fmt::format("'{}' indexes a list of {}; expected a number from 0 to {}", printable(key),
                              parent.items.size(), parent.items.size() - 1));
    return parent.items[index];
  }
  if (parent.kind != Node::Kind::map)
    fail(place, fmt::format("'{}' is below {}; expected a map", printable(key), parent.describe()));
  for (Member& member : parent.members)
    if (member.key == key) return member.value;
  parent.members.push_back({key, place, Node{}});
  parent.members.back().value.place = place;
  return parent.members.back().value;
}

bool all_scalars(const Node& node) {
  const auto flat = [](const Node& n) { return n.kind == Node::Kind::scalar || n.kind == Node::Kind::null; };
  return std::ranges::all_of(node.items, flat) &&
         std::ranges::all_of(node.members, [&](const Member& m) { return flat(m.value); });
}

void emit(YAML::Emitter& out, const Node& node) {
  switch (node.kind) {
    case Node::Kind::null: out << YAML::Null; return;
    case Node::Kind::scalar:
      if (node.plain)
        out << node.text;
      else
        out << YAML::DoubleQuoted << node.text;
      return;
    case Node::Kind::sequence:
      out << (all_scalars(node) ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
      for (const Node& item : node.items) emit(out, item);
      out << YAML::EndSeq;
      return;
    case Node::Kind::map:
      out << YAML::Block << YAML::BeginMap;
      for (const Member& member : node.members) {
        out << YAML::Key;
        if (plain_text(member.key))
          out << member.key;
        else
          out << YAML::DoubleQuoted << member.key;
        out << YAML::Value;
        emit(out, member.value);
      }
      out << YAML::EndMap;
      return;
  }
}

}  // namespace

std::optional<bool> truth_of(std::string_view text) {
  const std::string lower = lower_case(std::string(text));
  if (lower == "true" || lower == "yes" || lower == "on") return true;
  if (lower == "false" || lower == "no" || lower == "off") return false;
  return std::nullopt;
}

bool plain_text(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const bool one = text == "y" || text == "Y" || text == "n" || text == "N";
  const bool null = text == "null" || text == "Null" || text == "NULL";
  return !text.empty() && letter(text[0]) && !one && !null && !truth_of(text) && std::ranges::all_of(text, [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '/';
  });
}

std::string Place::text() const { return line == 0 ? source : fmt::format("{}:{}:{}", source, line, column); }

const Node* Node::find(std::string_view key) const {
  for (const Member& member : members)
    if (member.key == key) return &member.value;
  return nullptr;
}

std::string Node::describe() const {
  switch (kind) {
    case Kind::null: return "nothing";
    case Kind::scalar: return plain ? printable(text) : fmt::format("the text \"{}\"", printable(text));
    case Kind::sequence: return "a list";
    case Kind::map: return "a map";
  }
  return "nothing";
}

Node Node::scalar(std::string text, bool plain) {
  Node node;
  node.kind = Kind::scalar;
  node.text = std::move(text);
  node.plain = plain;
  return node;
}

Node Node::sequence() { return sequence(std::vector<Node>{}); }

Node Node::sequence(std::vector<Node> items) {
  Node node;
  node.kind = Kind::sequence;
  node.items = std::move(items);
  return node;
}

Node Node::map() {
  Node node;
  node.kind = Kind::map;
  return node;
}

Node& Node::add(std::string key, Node value) {
  if (value.kind != Kind::null) members.push_back({std::move(key), {}, std::move(value)});
  return *this;
}

Node parse(std::string_view text, const std::string& source) {
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Builder builder(source);
    if (!parser.HandleNextDocument(builder)) {
      Node empty;
      empty.place = {source, 1, 1};
      return empty;
    }
    AnyDocument more;
    try {
      parser.HandleNextDocument(more);
    } catch (const YAML::Mark& mark) {
      fail({source, mark.line + 1, mark.column + 1}, "a second document; expected one");
    }
    return builder.take();
  } catch (const YAML::Exception& e) {
    const Place place = e.mark.is_null() ? Place{source, 1, 1} : Place{source, e.mark.line + 1, e.mark.column + 1};
    fail(place, fmt::format("not valid YAML: {}", printable(e.msg)));
  }
}

void set_at(Node& root, std::string_view path, const Place& place, Node value) {
  Node* node = &root;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string key(path.substr(begin, end - begin));
    if (key.empty()) fail(place, fmt::format("an empty key in '{}'; expected key.key", printable(path)));
    node = &child_of(*node, key, place);
    begin = end + 1;
  }
  *node = std::move(value);
}

void set(Node& root, std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  const std::string path(assignment.substr(0, equals));
  const Place place{fmt::format("--set {}", printable(path)), 0, 0};
  if (equals == std::string_view::npos) fail(place, "no '='; expected --set key.key=value");
  Node value = parse(assignment.substr(equals + 1), place.text());
  move_to(value, place);
  // What a sweep varies is named by a whole path, which is one key there.
  constexpr std::string_view kSweep = "sweep.";
  if (path.size() > kSweep.size() && path.starts_with(kSweep)) {
    child_of(child_of(root, "sweep", place), path.substr(kSweep.size()), place) = std::move(value);
    return;
  }
  set_at(root, path, place, std::move(value));
}

std::string emit(const Node& root) {
  YAML::Emitter out;
  out.SetIndent(2);
  emit(out, root);
  return std::string(out.c_str(), out.size()) + "\n";
}

}  // namespace shiftnorm::config::yaml
