#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace shiftnorm {

/// "a, b or c".
[[nodiscard]] std::string alternatives(std::span<const std::string> names);
/// "x; expected a, b or c" for messages; where there are many names, "x (nearest is 'a'); expected ...".
[[nodiscard]] std::string not_among(const std::string& found, std::string_view word,
                                    std::span<const std::string> names);

/// Errors  ConfigError "what 'found'; expected a, b or c".
[[noreturn]] void refuse_name(std::string_view what, std::string_view found, std::span<const std::string> names);
/// Errors  Error: the program's own, a value that its table lacks.
[[noreturn]] void refuse_value(std::string_view what);

/// A row of a table of names. What else is known of each value makes a row of one's own, with these two first.
template <class Enum>
struct Named {
  std::string_view name;
  Enum value;
};

/// What users and files call the values of an enumeration: its only table of names, beside the enumeration.
template <class Row, std::size_t N>
class Names {
 public:
  using Enum = decltype(Row::value);

  constexpr Names(std::string_view what, const Row (&rows)[N]) : what_(what), rows_(std::to_array(rows)) {}

  [[nodiscard]] constexpr auto begin() const { return rows_.begin(); }
  [[nodiscard]] constexpr auto end() const { return rows_.end(); }
  [[nodiscard]] static constexpr std::size_t size() { return N; }

  /// The row of a name or of a value; null: there is none.
  [[nodiscard]] constexpr const Row* find(std::string_view name) const {
    for (const Row& row : rows_)
      if (row.name == name) return &row;
    return nullptr;
  }
  [[nodiscard]] constexpr const Row* find(Enum value) const {
    for (const Row& row : rows_)
      if (row.value == value) return &row;
    return nullptr;
  }

  /// The row of a value that has one.
  [[nodiscard]] constexpr const Row& operator[](Enum value) const {
    const Row* row = find(value);
    if (row == nullptr) refuse_value(what_);
    return *row;
  }
  [[nodiscard]] constexpr std::string_view name_of(Enum value) const { return (*this)[value].name; }

  /// Errors  ConfigError with what was found and the names that there are.
  [[nodiscard]] Enum parse(std::string_view name) const {
    const Row* row = find(name);
    if (row == nullptr) refuse_name(what_, name, list());
    return row->value;
  }

  [[nodiscard]] std::vector<std::string> list() const {
    std::vector<std::string> names;
    for (const Row& row : rows_) names.emplace_back(row.name);
    return names;
  }

 private:
  std::string_view what_;  ///< "policy": for messages
  std::array<Row, N> rows_;
};

/// `names<Named<Side>>("side", {{"left", Side::left}, {"right", Side::right}})`.
template <class Row, std::size_t N>
[[nodiscard]] constexpr Names<Row, N> names(std::string_view what, const Row (&rows)[N]) {
  return Names<Row, N>(what, rows);
}

}  // namespace shiftnorm
