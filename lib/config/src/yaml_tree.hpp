#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shiftnorm::config::yaml {

/// Where a node is, for messages: a file with line and column (from 1), or the option that gave it.
struct Place {
  std::string source;
  int line = 0, column = 0;  ///< line 0: `source` is an option, or the node was made by us
  [[nodiscard]] std::string text() const;
};

struct Member;

/// A YAML node with its place. Maps keep their order; a key given twice was refused when the node was made.
struct Node {
  enum class Kind { null, scalar, sequence, map };
  Kind kind = Kind::null;
  std::string text;   ///< of a scalar
  bool plain = true;  ///< unquoted: may be a number or a truth value
  Place place;
  std::vector<Node> items;
  std::vector<Member> members;

  [[nodiscard]] const Node* find(std::string_view key) const;
  [[nodiscard]] std::string describe() const;  ///< "a list", "text 'abc'": for messages

  static Node scalar(std::string text, bool plain = true);
  static Node sequence();
  static Node sequence(std::vector<Node> items);
  static Node map();
  Node& add(std::string key, Node value);  ///< to a map; a null value is left out
};

struct Member {
  std::string key;
  Place place;
  Node value;
};

/// What a configuration may hold, aliases counted as often as they are used.
inline constexpr std::size_t kMaxNodes = 20'000;
inline constexpr std::size_t kMaxDepth = 32;

/// The one document in `text`.
/// Errors  ConfigError with file, line and column: bad syntax, a key given twice, several documents, tags, keys that
///         are no scalars, more than kMaxNodes nodes or kMaxDepth levels.
[[nodiscard]] Node parse(std::string_view text, const std::string& source);

/// Applies `a.b=value` (the argument of --set) to a tree: maps are made where they are missing, `modes.1.batch` indexes
/// a list from 0, and what follows `sweep.` is one key. The new nodes' place reads `--set a.b`.
void set(Node& root, std::string_view assignment);
/// The same with a node; maps that are made for it are at `place`, and so are errors.
void set_at(Node& root, std::string_view path, const Place& place, Node value);

/// Block style, flow style for lists and maps of scalars.
[[nodiscard]] std::string emit(const Node& root);

/// What YAML 1.1 or 1.2 takes for a truth value: true, yes, on, false, no, off, in lower or upper case.
[[nodiscard]] std::optional<bool> truth_of(std::string_view text);
/// Whether every reader of YAML, of version 1.1 or 1.2, takes the unquoted text for the same text: names, and neither
/// truth values, nulls, numbers, times nor punctuation.
[[nodiscard]] bool plain_text(std::string_view text);

}  // namespace shiftnorm::config::yaml
