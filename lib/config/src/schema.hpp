#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json_schema.hpp"
#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/names.hpp"
#include "shiftnorm/imaging/transform.hpp"
#include "yaml_tree.hpp"

/// A section of the YAML is a table of its keys. What reads it, what writes it and the JSON Schema for editors walk the
/// same table, so that none of them knows a key, a bound or a name that the others do not.
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
  [[nodiscard]] std::int64_t integer(const Whole& bounds) const;
  [[nodiscard]] std::uint64_t seed() const;
  [[nodiscard]] double number(const Range& bounds) const;  ///< finite
  [[nodiscard]] bool truth() const;
  [[nodiscard]] std::filesystem::path input_path() const;
  [[nodiscard]] std::vector<Cursor> list() const;        ///< of a non-empty sequence
  [[nodiscard]] std::vector<std::string> texts() const;  ///< a list of texts, or one alone

  /// The value that a text names.
  template <class Row, std::size_t N>
  [[nodiscard]] auto word(const Names<Row, N>& names) const {
    const std::string name = text();
    if (const Row* row = names.find(name)) return row->value;
    wrong_name(name, names.list());
  }
  [[noreturn]] void wrong_name(std::string_view name, std::span<const std::string> names) const;

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

/// How one value of a T is read and written, and what JSON Schema says of it. values.hpp has the usual ones.
template <class T>
struct Value {
  void (*read)(const Cursor&, T&);
  yaml::Node (*write)(const T&);  ///< a null node is left out
  Json (*schema)();
  Json (*standard)() = nullptr;  ///< what holds where the key is absent; null: nothing that can be told beforehand
};

/// One key of a map.
template <class T>
struct Field {
  std::string_view key;
  Value<T> value;
  std::string_view description;  ///< for editors
  bool required = false;
};

/// Nodes of plain values.
[[nodiscard]] yaml::Node write_text(std::string_view text);
[[nodiscard]] yaml::Node write_texts(std::span<const std::string> texts);
[[nodiscard]] yaml::Node write_integer(std::int64_t value);
[[nodiscard]] yaml::Node write_seed(std::uint64_t value);
[[nodiscard]] yaml::Node write_number(double value);
[[nodiscard]] yaml::Node write_truth(bool value);

[[noreturn]] void unknown_key(const yaml::Member& member, const std::string& path, std::span<const std::string> keys);
[[nodiscard]] std::string below(const std::string& path, std::string_view key);

/// Reads a map by its table. Fields are read in the table's order, so that later ones may depend on earlier ones.
template <class T, std::size_t N>
void read_map(const Cursor& cursor, const Field<T> (&table)[N], T& into) {
  if (cursor.node().kind != yaml::Node::Kind::map) cursor.wrong("a map");
  for (const yaml::Member& member : cursor.node().members) {
    std::vector<std::string> keys;
    for (const Field<T>& field : table) keys.emplace_back(field.key);
    if (std::ranges::find(keys, member.key) == keys.end()) unknown_key(member, cursor.path(), keys);
  }
  for (const Field<T>& field : table) {
    const yaml::Member* given = nullptr;
    for (const yaml::Member& member : cursor.node().members)
      if (member.key == field.key) given = &member;
    if (given != nullptr)
      field.value.read(cursor.child(*given), into);
    else if (field.required)
      cursor.fail(fmt::format("{} is missing; expected it here", below(cursor.path(), field.key)));
  }
}

/// A required key is written even where it is empty: run ids are made of texts in which a folder's path is.
template <class T, std::size_t N>
yaml::Node write_map(const Field<T> (&table)[N], const T& from) {
  yaml::Node node = yaml::Node::map();
  for (const Field<T>& field : table) {
    yaml::Node value = field.value.write(from);
    if (field.required && value.kind == yaml::Node::Kind::null) value = write_text("");
    node.add(std::string(field.key), std::move(value));
  }
  return node;
}

template <class T, std::size_t N>
Json map_schema(const Field<T> (&table)[N]) {
  MapSchema map;
  for (const Field<T>& field : table)
    map.add(field.key, field.value.schema(), field.value.standard == nullptr ? Json() : field.value.standard(),
            field.description, field.required);
  return map.take();
}

/// A written scalar or list of scalars as JSON; null for what is absent or a map.
[[nodiscard]] Json json_of(const yaml::Node& node);

struct Config;
struct DataConfig;

/// Sections of the schema that are files of their own.
void read_experiment(const Cursor& cursor, Config& config);
[[nodiscard]] yaml::Node write_experiment(const Config& config);
void read_data(const Cursor& cursor, DataConfig& data);
[[nodiscard]] yaml::Node write_data(const DataConfig& data);
[[nodiscard]] Json data_schema();
void read_pipeline(const Cursor& cursor, imaging::Pipeline& pipeline);
[[nodiscard]] yaml::Node write_pipeline(const imaging::Pipeline& pipeline);
[[nodiscard]] Json pipeline_schema();  ///< of the list of steps
void read_modes(const Cursor& cursor, std::vector<adapt::Mode>& modes);
[[nodiscard]] yaml::Node write_modes(const std::vector<adapt::Mode>& modes);
[[nodiscard]] Json mode_schema();  ///< of one mode

}  // namespace shiftnorm::config
