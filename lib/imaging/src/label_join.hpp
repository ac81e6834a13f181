#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/container/csv.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// A table with the columns that matter found.
struct Table {
  std::string name;  ///< of the file, or what stands for it
  container::CsvTable csv;
  std::vector<std::size_t> key;
  std::optional<std::size_t> label, patient;
  std::vector<std::size_t> findings;  ///< columns; then there is no label
};

/// Reads a table; its key is found later. `unnamed`: what messages call it where its name may be a patient's; empty:
/// by its name. Errors  FormatError; ConfigError for a column that is not there.
[[nodiscard]] Table read_table(const std::filesystem::path& file, const LabelTable& columns,
                               std::string_view unnamed = {});
/// `given`: columns; without any, `path`, `id`, or those of `known` (names that the samples have keys by) that are
/// there. Errors  ConfigError for a column that is not there.
void find_key(Table& table, const std::vector<std::string>& given, const std::vector<std::string>& known);

/// The row of each sample, and what was found on the way.
struct Join {
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::vector<std::size_t> rows;  ///< one for each sample, or kNone
  LabelCounts counts;
  std::vector<std::string> notes;
};

/// Joins a table to samples by its key, compared as text. `decisive`: columns in which rows of one key must agree.
/// Errors  FormatError: rows of one key that differ, keys that samples of several patients share.
[[nodiscard]] Join join_table(const Table& table, std::span<const Sample> samples,
                              const std::vector<std::string>& decisive);

/// What a field of a column of findings says: 0, 1 (also 0.0, 1.0), or -1 where it is empty, -1 or nan.
/// Errors  FormatError naming line and column, not the value.
[[nodiscard]] std::int8_t finding_of(const Table& table, std::size_t row, std::size_t column);

/// Class names in the order of their indices: those given; else 0, 1 .. the largest where all labels are such numbers;
/// else the labels, sorted.
/// Errors  ConfigError `where: ...` for a label that is none of the classes given.
[[nodiscard]] std::vector<std::string> class_names(const std::set<std::string>& labels,
                                                   const std::vector<std::string>& given, std::string_view where);
/// Of the labels in a table's column.
[[nodiscard]] std::vector<std::string> classes_of(const Table& table, const std::vector<std::string>& given);

}  // namespace shiftnorm::imaging
