#include "label_join.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "image_files.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging {
namespace {

constexpr std::uint64_t kMostTableBytes = std::uint64_t{256} << 20;
constexpr char kBetweenParts = '\x1f';

bool names_the_sample(std::string_view column) { return column == "path" || column == "id"; }

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

/// Part of a key as a table has it: "./a.png" is "a.png", and both are written as ids are.
std::string key_part(std::string_view column, std::string_view text) {
  if (!names_the_sample(column)) return std::string(text);
  while (text.starts_with("./")) text.remove_prefix(2);
  return id_of(std::string(text));
}

/// Empty: the row has no key.
std::string key_of_row(const Table& table, std::size_t row) {
  std::string key;
  for (const std::size_t column : table.key) {
    const std::string part = key_part(table.csv.columns()[column], table.csv.field(row, column));
    if (part.empty()) return {};
    key += (key.empty() ? "" : std::string(1, kBetweenParts)) + part;
  }
  return key;
}

std::string key_of_sample(const Table& table, const Sample& sample) {
  std::string key;
  for (const std::size_t column : table.key) {
    const std::string& name = table.csv.columns()[column];
    std::string part;
    if (const auto known = sample.keys.find(name); known != sample.keys.end())
      part = known->second;
    else if (names_the_sample(name))
      part = sample.id;
    else if (const auto other = sample.attributes.find(name); other != sample.attributes.end())
      part = other->second;
    if (part.empty()) return {};
    key += (key.empty() ? "" : std::string(1, kBetweenParts)) + part;
  }
  return key;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return c < 0x80 ? std::tolower(c) : c; });
  return text;
}

std::string without_zeros(std::string text) {
  const std::size_t first = text.find_first_not_of('0');
  return text.substr(first == std::string::npos ? text.size() : first);
}

std::string file_name(std::string text) { return text.substr(text.rfind('/') + 1); }

std::string with_slashes(std::string text) {
  std::ranges::replace(text, '\\', '/');
  return text;
}

/// What might have been meant by keys that match nothing. Told, never done.
struct Looser {
  std::string_view words;
  std::string (*form)(std::string key);
};
constexpr std::array<Looser, 4> kLooser{{{"if upper and lower case were one", lower},
                                         {"without the zeros in front", without_zeros},
                                         {"with / in place of \\", with_slashes},
                                         {"by the file's name without its folders", file_name}}};

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
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const bool plain = error == std::errc{} && stop == end && (text.size() == 1 || text[0] != '0');
  if (!plain || value < 0 || value >= kMostClasses) return std::nullopt;
  return value;
}

}  // namespace

Table read_table(const std::filesystem::path& file, const LabelTable& columns, std::string_view unnamed) {
  Table table;
  table.name = unnamed.empty() ? file.filename().string() : std::string(unnamed);
  if (!unnamed.empty() && !std::filesystem::is_regular_file(file))
    throw FormatError(fmt::format("{}: no such file; expected a table (.csv)", unnamed));
  const std::vector<std::byte> bytes = read_file(file, kMostTableBytes);
  try {
    table.csv = container::parse_csv(as_text(bytes));
    for (const std::string& name : columns.findings) table.findings.push_back(column_named(table.csv, name));
    if (table.findings.empty()) table.label = column_or(table.csv, columns.label, "label");
    table.patient = column_or(table.csv, columns.patient, "patient");
  } catch (const Error&) {
    rethrow_at(table.name);
  }
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
      throw ConfigError(fmt::format("no column 'path' or 'id'; expected the key named, of {}",
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

  std::unordered_map<std::string, std::size_t> row_of;
  for (std::size_t row = 0; row < table.csv.rows(); ++row) {
    const std::string key = key_of_row(table, row);
    if (key.empty()) continue;
    const auto [first, fresh] = row_of.emplace(key, row);
    if (fresh) continue;
    for (const std::size_t column : agreeing)
      if (table.csv.field(row, column) != table.csv.field(first->second, column))
        throw FormatError(fmt::format("{}: lines {} and {} have one key and differ in '{}'; expected one value for it",
                                      table.name, table.csv.line(first->second), table.csv.line(row),
                                      printable(table.csv.columns()[column])));
  }

  Join joined;
  joined.counts.file = table.name;
  std::unordered_set<std::size_t> used;
  std::vector<std::string> lonely;
  for (const Sample& sample : samples) {
    const std::string key = key_of_sample(table, sample);
    const auto found = row_of.find(key);
    const bool matched = !key.empty() && found != row_of.end();
    joined.rows.push_back(matched ? found->second : Join::kNone);
    if (matched) used.insert(found->second);
    if (!matched && !key.empty()) lonely.push_back(key);
    const bool labels = table.label || !table.findings.empty();
    const bool labelled = matched && (table.label ? !table.csv.field(found->second, *table.label).empty()
                                                  : std::ranges::any_of(table.findings, [&](std::size_t column) {
                                                      return finding_of(table, found->second, column) >= 0;
                                                    }));
    ++(labelled || (matched && !labels) ? joined.counts.matched : joined.counts.images_without_label);
  }
  std::vector<std::string> unused;
  for (const auto& [key, row] : row_of)
    if (!used.contains(row)) unused.push_back(key);
  joined.counts.labels_without_image = static_cast<std::int64_t>(unused.size());
  joined.counts.ambiguous = ambiguous(samples, joined.rows);
  if (joined.counts.ambiguous > 0)
    throw FormatError(
        fmt::format("{}: {} keys are shared by images of several patients, so that their labels are "
                    "ambiguous; expected a key that tells patients apart",
                    table.name, joined.counts.ambiguous));
  if (!lonely.empty() && !unused.empty())
    for (std::string& hint : hints(table.name, unused, lonely)) joined.notes.push_back(std::move(hint));
  return joined;
}

std::int8_t finding_of(const Table& table, std::size_t row, std::size_t column) {
  const std::string text = lower(std::string(table.csv.field(row, column)));
  if (text.empty() || text == "nan") return -1;
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || (value != 0 && value != 1 && value != -1))
    throw FormatError(
        fmt::format("{}: line {}: column '{}' holds no finding; expected 0 or 1, or nothing, -1 or nan "
                    "where it is not known",
                    table.name, table.csv.line(row), printable(table.csv.columns()[column])));
  return static_cast<std::int8_t>(value);
}

std::vector<std::string> class_names(const std::set<std::string>& labels, const std::vector<std::string>& given,
                                     std::string_view where) {
  if (!given.empty()) {
    for (const std::string& name : labels)
      if (std::ranges::find(given, name) == given.end())
        throw ConfigError(fmt::format("{}: label '{}' is none of the classes; expected one of {}", where,
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

std::vector<std::string> classes_of(const Table& table, const std::vector<std::string>& given) {
  std::set<std::string> labels;
  for (std::size_t row = 0; row < table.csv.rows(); ++row)
    if (const std::string_view label = table.csv.field(row, *table.label); !label.empty()) labels.emplace(label);
  return class_names(labels, given, table.name);
}

}  // namespace shiftnorm::imaging
