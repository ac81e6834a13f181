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
  std::string name;  ///< of the file, or what replaces it
  container::CsvTable csv;
  std::vector<std::size_t> key;
  std::optional<std::size_t> label, patient;
  std::vector<std::size_t> findings;   ///< columns; then there is no label
  std::string split;                   ///< parts the findings that `label` names; empty: it names one class
  std::vector<std::string> none;       ///< of them: those that stand for no finding
  bool decimal = false;                ///< labels are whole numbers, some of them written as 2.0
  std::vector<std::string> classes{};  ///< given: what they name is a label, however it reads
  std::filesystem::path root{};        ///< of the images: absolute paths below it are theirs

  [[nodiscard]] bool labelled() const { return label || !findings.empty(); }
  [[nodiscard]] bool several() const { return !split.empty() || !findings.empty(); }
};

/// Reads a table; its key is found later. `unnamed`: what messages call it where its name may be a patient's; empty:
/// by its name. Errors  FormatError; ConfigError for a column that is not there.
[[nodiscard]] Table read_table(const std::filesystem::path& file, const LabelTable& columns,
                               const std::vector<std::string>& classes = {}, std::string_view unnamed = {});
/// `given`: columns; without any, `path`, `id`, or those of `known` (names that the samples have keys by) that are
/// there. Errors  ConfigError for a column that is not there.
void find_key(Table& table, const std::vector<std::string>& given, const std::vector<std::string>& known);

/// The row of each sample, and what was found on the way.
struct Join {
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::vector<std::size_t> rows;  ///< one for each sample, or kNone
  LabelCounts counts;
  std::vector<std::string> notes;
  bool any = false;  ///< of the samples has a row
};

/// Joins a table to samples by its key, compared as text. A column that no key or attribute of the samples is called by
/// names them by path, file name or what is before their extension: the one of naming() that most images have.
/// `decisive`: columns in which rows of one key must agree.
/// Errors  FormatError: rows of one key that differ, keys that samples of several patients share, names that several
///         images have.
[[nodiscard]] Join join_table(const Table& table, std::span<const Sample> samples,
                              const std::vector<std::string>& decisive);

/// What a field of a column of findings says: 0, 1 (also 0.0, 1.0), or -1 where it is missing or -1.
/// Errors  FormatError naming line and column, not the value.
[[nodiscard]] std::int8_t finding_of(const Table& table, std::size_t row, std::size_t column);
/// Of `label`, which names one class; nothing where it is missing.
[[nodiscard]] std::optional<std::string> label_of(const Table& table, std::size_t row);
/// Of `label`, which names the findings that are there; nothing where it is missing.
[[nodiscard]] std::optional<std::vector<std::string>> findings_in(const Table& table, std::size_t row);

/// Class names in the order of their indices: those given; else 0, 1 .. the largest where all labels are such numbers;
/// else the labels, sorted.
/// Errors  ConfigError `where: ...` for a label that is none of the classes given.
[[nodiscard]] std::vector<std::string> class_names(const std::set<std::string>& labels,
                                                   const std::vector<std::string>& given, std::string_view where);
/// Of the labels, or findings, in a table's column of labels.
[[nodiscard]] std::vector<std::string> classes_of(const Table& table);

}  // namespace shiftnorm::imaging
