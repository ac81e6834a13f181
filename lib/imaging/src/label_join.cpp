#include "label_join.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "image_files.hpp"
#include "label_values.hpp"
#include "sample_names.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging {
namespace {

constexpr std::uint64_t kMostTableBytes = std::uint64_t{256} << 20;
constexpr char kBetweenParts = '\x1f';

std::size_t column_named(const container::CsvTable& csv, const std::string& name) {
  if (const auto found = csv.find(name)) return *found;
  const std::string near = nearest(name, csv.columns());
  throw ConfigError(fmt::format("no column '{}'; {}", printable(name),
                                near.empty() ? "expected one of " + printable(join(csv.columns()), 500)
                                             : "nearest is '" + printable(near) + "'"));
}

std::optional<std::size_t> column_or(const container::CsvTable& csv, const std::string& given, std::string_view usual) {
  if (!given.empty()) return column_named(csv, given);
  return csv.find(usual);
}

/// The path that an image is named by.
std::string path_of(const Sample& sample) {
  const auto known = sample.keys.find("path");
  return known == sample.keys.end() ? sample.id : id_of(known->second);
}

/// How the columns of a key name samples: by what they are known by under the column's name, or by their files.
class Key {
 public:
  Key(const Table& table, std::span<const Sample> samples) : table_(table) {
    for (const std::size_t column : table.key) {
      const std::string& name = table.csv.columns()[column];
      const auto known = [&](const Sample& sample) {
        return sample.keys.contains(name) || sample.attributes.contains(name);
      };
      // Objects have keys, and ids that are not paths.
      const bool other = name != "path" && std::ranges::any_of(samples, known);
      const bool id = name == "id" && std::ranges::any_of(samples, [](const Sample& s) { return !s.keys.empty(); });
      by_file_.push_back(!other && !id);
    }
  }

  void name_by(const NamedBy& naming) { naming_ = &naming; }
  [[nodiscard]] const NamedBy& named_by() const { return *naming_; }
  [[nodiscard]] bool by_file() const { return std::ranges::find(by_file_, true) != by_file_.end(); }

  /// Empty: the row has no key.
  [[nodiscard]] std::string of_row(std::size_t row) const {
    return joined([&](std::size_t part, std::size_t column) {
      const std::string_view field = table_.csv.field(row, column);
      if (is_missing(field)) return std::string();
      return by_file_[part] ? path_in_table(field, table_.root) : std::string(field);
    });
  }

  [[nodiscard]] std::string of(const Sample& sample) const {
    return joined([&](std::size_t part, std::size_t column) {
      const std::string& name = table_.csv.columns()[column];
      if (by_file_[part]) return naming_->form(path_of(sample));
      if (const auto known = sample.keys.find(name); known != sample.keys.end()) return known->second;
      if (name == "id") return sample.id;
      const auto other = sample.attributes.find(name);
      return other == sample.attributes.end() ? std::string() : other->second;
    });
  }

 private:
  template <class Part>
  [[nodiscard]] std::string joined(Part part_of) const {
    std::string key;
    for (std::size_t part = 0; part < table_.key.size(); ++part) {
      const std::string one = part_of(part, table_.key[part]);
      if (one.empty()) return {};
      key += (part == 0 ? "" : std::string(1, kBetweenParts)) + one;
    }
    return key;
  }

  const Table& table_;
  std::vector<bool> by_file_;  ///< of each column
  const NamedBy* naming_ = &naming(0);
};

using Rows = std::unordered_map<std::string, std::size_t>;

/// The row of each key. `agreeing`: columns that rows of one key may not differ in.
Rows rows_by_key(const Table& table, const Key& key, const std::vector<std::size_t>& agreeing) {
  Rows rows;
  for (std::size_t row = 0; row < table.csv.rows(); ++row) {
    const std::string name = key.of_row(row);
    if (name.empty()) continue;
    const auto [first, fresh] = rows.emplace(name, row);
    if (fresh) continue;
    for (const std::size_t column : agreeing)
      if (table.csv.field(row, column) != table.csv.field(first->second, column))
        throw FormatError(fmt::format(
            "{}: lines {} and {} have the same key and differ in '{}'; expected one value for it", table.name,
            table.csv.line(first->second), table.csv.line(row), printable(table.csv.columns()[column])));
  }
  return rows;
}

/// What one naming makes of the samples.
struct Fit {
  std::int64_t images = 0;         ///< that have a row
  std::set<std::size_t> shared{};  ///< rows whose name several files have
};

Fit fit_of(const Key& key, const Rows& rows, std::span<const Sample> samples) {
  Fit fit;
  std::unordered_map<std::size_t, std::string> path;
  for (const Sample& sample : samples) {
    const auto found = rows.find(key.of(sample));
    if (found == rows.end()) continue;
    ++fit.images;
    const auto [first, fresh] = path.emplace(found->second, path_of(sample));
    if (!fresh && first->second != path_of(sample)) fit.shared.insert(found->second);
  }
  return fit;
}

/// The naming by which most images have a row, each its own; the earlier of equals. A name of several files says
/// nothing of which of them it means.
void choose_naming(const Table& table, Key& key, const Rows& rows, std::span<const Sample> samples) {
  std::size_t chosen = 0, unclear = 0;
  std::int64_t most = 0;
  std::string doubtful;
  for (std::size_t i = 0; i < kNamings; ++i) {
    key.name_by(naming(i));
    const Fit fit = fit_of(key, rows, samples);
    if (!fit.shared.empty()) {
      if (unclear == 0) doubtful = naming(i).words;
      unclear = std::max(unclear, fit.shared.size());
    } else if (fit.images > most) {
      chosen = i;
      most = fit.images;
    }
  }
  key.name_by(naming(chosen));
  if (most == 0 && unclear > 0)
    throw FormatError(
        fmt::format("{}: {} rows name images by their {}, which several images share; "
                    "expected paths below the data's folder",
                    table.name, unclear, doubtful));
}

/// pandas writes a column of whole numbers that has gaps as 0.0, 1.0: the numbers are meant.
bool has_decimals(const Table& table) {
  bool decimals = false;
  for (std::size_t row = 0; row < table.csv.rows(); ++row) {
    const std::string_view field = table.csv.field(row, *table.label);
    if (is_missing(field)) continue;
    if (!whole_number(field)) return false;
    decimals = decimals || field.find('.') != std::string_view::npos;
  }
  return decimals;
}

bool has_label(const Table& table, std::size_t row) {
  if (table.label && table.several()) return findings_in(table, row).has_value();
  if (table.label) return label_of(table, row).has_value();
  return std::ranges::any_of(table.findings, [&](std::size_t column) { return finding_of(table, row, column) >= 0; });
}

std::string without_zeros(std::string text) {
  const std::size_t first = text.find_first_not_of('0');
  return text.substr(first == std::string::npos ? text.size() : first);
}

std::string last_part(std::string text) { return text.substr(text.find_last_of("/\\") + 1); }

std::string with_slashes(std::string text) {
  std::ranges::replace(text, '\\', '/');
  return text;
}

/// What might have been meant by keys that match nothing. Told, never done.
struct Looser {
  std::string_view words;
  std::string (*form)(std::string key);
};
constexpr std::array<Looser, 4> kLooser{{{"if case were ignored", lower_case},
                                         {"without leading zeros", without_zeros},
                                         {"with / in place of \\", with_slashes},
                                         {"by file name without folders", last_part}}};

std::vector<std::string> hints(const std::string& table, const std::vector<std::string>& rows,
                               const std::vector<std::string>& samples) {
  std::vector<std::string> out;
  for (const Looser& looser : kLooser) {
    std::unordered_set<std::string> forms;
    for (const std::string& key : rows) forms.insert(looser.form(key));
    const auto more =
        std::ranges::count_if(samples, [&](const std::string& key) { return forms.contains(looser.form(key)); });
    if (more > 0)
      out.push_back(fmt::format("{}: {} more images would have a row {}; keys are compared as they are written", table,
                                more, looser.words));
  }
  return out;
}

/// Keys that samples of several patients share, as an accession number may be.
std::int64_t ambiguous(std::span<const Sample> samples, const std::vector<std::size_t>& rows) {
  std::unordered_map<std::size_t, std::string_view> patient;
  std::set<std::size_t> shared;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (rows[i] == Join::kNone || samples[i].patient.empty()) continue;
    const auto [first, fresh] = patient.emplace(rows[i], samples[i].patient);
    if (!fresh && first->second != samples[i].patient) shared.insert(rows[i]);
  }
  return static_cast<std::int64_t>(shared.size());
}

/// A class index as it is usually written.
std::optional<std::int32_t> index_of(std::string_view text) {
  constexpr std::int32_t kMostClasses = 1 << 20;
  std::int32_t value = 0;
  const bool plain = parse_whole(text, value) && (text.size() == 1 || text[0] != '0');
  if (!plain || value < 0 || value >= kMostClasses) return std::nullopt;
  return value;
}

}  // namespace

Table read_table(const std::filesystem::path& file, const LabelTable& columns, const std::vector<std::string>& classes,
                 std::string_view unnamed) {
  Table table;
  table.name = unnamed.empty() ? file.filename().string() : std::string(unnamed);
  if (!unnamed.empty() && !std::filesystem::is_regular_file(file))
    throw FormatError(fmt::format("{}: no such file; expected a table (.csv)", unnamed));
  const std::vector<std::byte> bytes = read_file(file, kMostTableBytes);
  try {
    const std::string text = container::utf8_text(as_text(bytes));
    table.csv = container::parse_csv(text, form_of(text));
    for (const std::string& name : columns.findings) {
      const std::size_t column = column_named(table.csv, name);
      if (std::ranges::find(table.findings, column) != table.findings.end())
        throw ConfigError(fmt::format("label: column '{}' is given twice; expected it once", printable(name)));
      table.findings.push_back(column);
    }
    if (table.findings.empty()) table.label = column_or(table.csv, columns.label, "label");
    table.patient = column_or(table.csv, columns.patient, "patient");
    if (!columns.split.empty() && !table.label)
      throw ConfigError("label: nothing to split, there is no column 'label'; expected the column's name");
  } catch (const Error&) {
    rethrow_at(table.name);
  }
  table.split = columns.split;
  table.none = columns.none;
  table.classes = classes;
  table.decimal = table.label && !table.several() && has_decimals(table);
  return table;
}

void find_key(Table& table, const std::vector<std::string>& given, const std::vector<std::string>& known) {
  try {
    for (const std::string& name : given) table.key.push_back(column_named(table.csv, name));
    for (const std::string_view name : {"path", "id"})
      if (const auto found = table.csv.find(name); found && table.key.empty()) table.key = {*found};
    if (!table.key.empty()) return;
    for (const std::string& name : known)
      if (const auto found = table.csv.find(name)) table.key.push_back(*found);
    if (table.key.empty())
      throw ConfigError(fmt::format("no column 'path' or 'id'; expected the key named (--key COLUMN), of {}",
                                    printable(join(table.csv.columns()), 500)));
  } catch (const Error&) {
    rethrow_at(table.name);
  }
}

Join join_table(const Table& table, std::span<const Sample> samples, const std::vector<std::string>& decisive) {
  std::vector<std::size_t> agreeing;
  if (table.label) agreeing.push_back(*table.label);
  agreeing.insert(agreeing.end(), table.findings.begin(), table.findings.end());
  if (table.patient) agreeing.push_back(*table.patient);
  for (const std::string& name : decisive)
    if (const auto column = table.csv.find(name)) agreeing.push_back(*column);

  Key key(table, samples);
  const Rows row_of = rows_by_key(table, key, agreeing);
  if (key.by_file()) choose_naming(table, key, row_of, samples);

  Join joined;
  joined.counts.file = table.name;
  const std::string& column = table.csv.columns().at(table.key.at(0));
  const std::string_view words = key.named_by().words;
  const bool plain = (column == "path" || column == "id") && words == naming(0).words;
  if (table.key.size() == 1 && key.by_file() && !plain)
    joined.counts.by = fmt::format("column '{}' as {}", printable(column), words);
  std::unordered_set<std::size_t> used;
  std::vector<std::string> lonely;
  for (const Sample& sample : samples) {
    const std::string name = key.of(sample);
    const auto found = row_of.find(name);
    const bool matched = !name.empty() && found != row_of.end();
    joined.rows.push_back(matched ? found->second : Join::kNone);
    if (matched) used.insert(found->second);
    if (!matched && !name.empty()) lonely.push_back(name);
    const bool labelled = matched && (!table.labelled() || has_label(table, found->second));
    ++(labelled ? joined.counts.matched : joined.counts.images_without_label);
  }
  joined.any = !used.empty();
  std::vector<std::string> unused;
  for (const auto& [name, row] : row_of)
    if (!used.contains(row)) unused.push_back(name);
  joined.counts.labels_without_image = static_cast<std::int64_t>(unused.size());
  joined.counts.ambiguous = ambiguous(samples, joined.rows);
  if (joined.counts.ambiguous > 0)
    throw FormatError(
        fmt::format("{}: {} keys are shared by images of several patients, so that their labels are "
                    "ambiguous; expected a key that separates patients",
                    table.name, joined.counts.ambiguous));
  if (!lonely.empty() && !unused.empty())
    for (std::string& hint : hints(table.name, unused, lonely)) joined.notes.push_back(std::move(hint));
  return joined;
}

std::int8_t finding_of(const Table& table, std::size_t row, std::size_t column) {
  const std::string_view text = table.csv.field(row, column);
  if (is_missing(text)) return -1;
  double value = 0;
  if (!parse_whole(text, value) || (value != 0 && value != 1 && value != -1))
    throw FormatError(
        fmt::format("{}: line {}: column '{}' is not a finding; expected 0 or 1, or empty, -1 or nan where unknown",
                    table.name, table.csv.line(row), printable(table.csv.columns()[column])));
  return static_cast<std::int8_t>(value);
}

std::optional<std::string> label_of(const Table& table, std::size_t row) {
  const std::string_view field = table.csv.field(row, *table.label);
  const auto is_class = [&](std::string_view text) {
    return std::ranges::find(table.classes, text) != table.classes.end();
  };
  if (is_missing(field) && (field.empty() || !is_class(field))) return std::nullopt;
  if (table.decimal && !is_class(field))
    if (auto number = whole_number(field)) return number;
  return std::string(field);
}

std::optional<std::vector<std::string>> findings_in(const Table& table, std::size_t row) {
  const std::string_view field = table.csv.field(row, *table.label);
  if (is_missing(field)) return std::nullopt;
  std::vector<std::string> parts = parts_of(field, table.split);
  std::erase_if(parts,
                [&](const std::string& part) { return std::ranges::find(table.none, part) != table.none.end(); });
  return parts;
}

std::vector<std::string> class_names(const std::set<std::string>& labels, const std::vector<std::string>& given,
                                     std::string_view where) {
  if (!given.empty()) {
    for (const std::string& name : labels)
      if (std::ranges::find(given, name) == given.end())
        throw ConfigError(fmt::format("{}: label '{}' is not one of the classes; expected one of {}", where,
                                      printable(name), join(given)));
    return given;
  }
  std::int32_t largest = -1;
  for (const std::string& name : labels) {
    const auto index = index_of(name);
    if (!index) return {labels.begin(), labels.end()};
    largest = std::max(largest, *index);
  }
  std::vector<std::string> numbers;
  for (std::int32_t i = 0; i <= largest; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

std::vector<std::string> classes_of(const Table& table) {
  std::set<std::string> labels;
  for (std::size_t row = 0; row < table.csv.rows(); ++row) {
    if (table.several()) {
      const std::vector<std::string> parts = findings_in(table, row).value_or(std::vector<std::string>{});
      labels.insert(parts.begin(), parts.end());
    } else if (auto label = label_of(table, row)) {
      labels.insert(std::move(*label));
    }
  }
  if (!table.several()) return class_names(labels, table.classes, table.name);
  if (table.classes.empty()) return {labels.begin(), labels.end()};
  for (const std::string& name : labels)
    if (std::ranges::find(table.classes, name) == table.classes.end())
      throw ConfigError(fmt::format(
          "{}: finding '{}' is not one of the classes; expected one of {}, or that it stands for none of them "
          "(label: {{none: [..]}}, --label-none)",
          table.name, printable(name), join(table.classes)));
  return table.classes;
}

}  // namespace shiftnorm::imaging
