#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/imaging/transform.hpp"
#include "yaml_tree.hpp"

namespace shiftnorm::config {

/// What reading a value may depend on.
struct ReadContext {
  std::filesystem::path base;           ///< of relative input paths
  std::uint64_t seed = 0;               ///< of the run, once it is known
  std::vector<std::string> notes = {};  ///< for the user, one line each
};

/// A node on its way into a struct: knows the path of keys that led to it, so that every error can name it.
class Cursor {
 public:
  Cursor(const yaml::Node& node, std::string path, ReadContext& context)
      : node_(node), path_(std::move(path)), context_(context) {}

  [[nodiscard]] const yaml::Node& node() const { return node_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] ReadContext& context() const { return context_; }
  [[nodiscard]] Cursor child(const yaml::Member& member) const;
  [[nodiscard]] Cursor item(std::size_t index) const;

  [[noreturn]] void fail(const std::string& text) const;       ///< `place: text`
  [[noreturn]] void wrong(const std::string& expected) const;  ///< `place: path = found; expected ...`

  [[nodiscard]] std::string text() const;  ///< any scalar
  [[nodiscard]] std::int64_t integer(std::int64_t least,
                                     std::int64_t most = std::numeric_limits<std::int64_t>::max()) const;
  [[nodiscard]] std::uint64_t seed() const;
  /// Finite, in [least, most].
  [[nodiscard]] double number(double least, double most = std::numeric_limits<double>::max()) const;
  [[nodiscard]] bool truth() const;
  [[nodiscard]] std::filesystem::path input_path() const;
  [[nodiscard]] std::vector<Cursor> list() const;        ///< of a non-empty sequence
  [[nodiscard]] std::vector<std::string> texts() const;  ///< a list of texts, or one alone

  /// Runs `f`; a ConfigError from inside gets this node's place and path.
  template <class F>
  auto placed(F f) const {
    try {
      return f();
    } catch (const ConfigError& e) {
      fail(fmt::format("{}: {}", path_, e.what()));
    }
  }

 private:
  const yaml::Node& node_;
  std::string path_;
  ReadContext& context_;
};

/// One key of a map. With `refusal`, the key is known and the text says why this version does not take it.
template <class T>
struct Field {
  std::string_view key;
  void (*read)(const Cursor&, T&) = nullptr;
  yaml::Node (*write)(const T&) = nullptr;  ///< null: left out
  bool required = false;
  std::string_view refusal = {};
};

[[noreturn]] void unknown_key(const yaml::Member& member, const std::string& path, std::span<const std::string> keys);
[[nodiscard]] std::string below(const std::string& path, std::string_view key);

/// Reads a map by its table. Fields are read in the table's order, so that later ones may depend on earlier ones.
template <class T, std::size_t N>
void read_map(const Cursor& cursor, const Field<T> (&table)[N], T& into) {
  if (cursor.node().kind != yaml::Node::Kind::map) cursor.wrong("a map");
  for (const yaml::Member& member : cursor.node().members) {
    const Field<T>* found = nullptr;
    for (const Field<T>& field : table)
      if (field.key == member.key) found = &field;
    if (found == nullptr) {
      std::vector<std::string> keys;
      for (const Field<T>& field : table)
        if (field.refusal.empty()) keys.emplace_back(field.key);
      unknown_key(member, cursor.path(), keys);
    }
    if (!found->refusal.empty())
      throw ConfigError(fmt::format("{}: {} = {}; {}", member.place.text(), below(cursor.path(), member.key),
                                    member.value.describe(), found->refusal));
  }
  for (const Field<T>& field : table) {
    if (!field.refusal.empty()) continue;
    const yaml::Member* given = nullptr;
    for (const yaml::Member& member : cursor.node().members)
      if (member.key == field.key) given = &member;
    if (given != nullptr)
      field.read(cursor.child(*given), into);
    else if (field.required)
      cursor.fail(fmt::format("{} is missing; expected it here", below(cursor.path(), field.key)));
  }
}

template <class T, std::size_t N>
yaml::Node write_map(const Field<T> (&table)[N], const T& from) {
  yaml::Node node = yaml::Node::map();
  for (const Field<T>& field : table)
    if (field.write != nullptr) node.add(std::string(field.key), field.write(from));
  return node;
}

/// Nodes of plain values.
[[nodiscard]] yaml::Node write_text(std::string_view text);
[[nodiscard]] yaml::Node write_texts(std::span<const std::string> texts);
[[nodiscard]] yaml::Node write_integer(std::int64_t value);
[[nodiscard]] yaml::Node write_seed(std::uint64_t value);
[[nodiscard]] yaml::Node write_number(double value);

struct DataConfig;

/// Sections of the schema that are files of their own.
void read_data(const Cursor& cursor, DataConfig& data);
[[nodiscard]] yaml::Node write_data(const DataConfig& data);
void read_pipeline(const Cursor& cursor, imaging::Pipeline& pipeline);
[[nodiscard]] yaml::Node write_pipeline(const imaging::Pipeline& pipeline);
void read_modes(const Cursor& cursor, std::vector<adapt::Mode>& modes);
[[nodiscard]] yaml::Node write_modes(const std::vector<adapt::Mode>& modes);

}  // namespace shiftnorm::config
