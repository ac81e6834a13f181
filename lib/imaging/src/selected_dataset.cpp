#include "selected_dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "forwarding_dataset.hpp"
#include "label_values.hpp"
#include "limit.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/project_key.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging {
namespace {

class SelectedDataset final : public ForwardingDataset {
 public:
  SelectedDataset(std::unique_ptr<Dataset> all, const std::vector<Table>& tables, const DatasetOptions& options)
      : ForwardingDataset(std::move(all)),
        classes_(inner().classes()),
        samples_(inner().samples()),
        notes_(inner().selection_notes()) {
    std::vector<std::string> wanted = options.keep;
    for (const auto& [column, values] : options.where) wanted.push_back(column);
    for (const Table& table : tables) take(table, wanted, options.labelled);
    const bool labelled_already = inner().label_counts() != nullptr || options.dicom.label_folders;
    if (options.labelled && !tables.empty() && !labelled_already && std::ranges::none_of(tables, &Table::labelled))
      notes_.push_back(fmt::format("{}: has no column 'label', and none was named", tables.back().name));
    check_columns(wanted, tables);
    name_samples(tables, options);

    rows_.resize(samples_.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) rows_[i] = i;
    if (!options.where.empty()) keep_where(options.where);
    keep(select(options.limit, samples_));
    for (Sample& sample : samples_)
      std::erase_if(sample.attributes, [&](const auto& attribute) {
        return std::ranges::find(options.keep, attribute.first) == options.keep.end();
      });
    // What is missing is not a value to group by.
    for (Sample& sample : samples_)
      for (auto& [name, value] : sample.attributes)
        if (is_missing(value)) value.clear();
  }

  [[nodiscard]] const std::vector<Sample>& samples() const override { return samples_; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return classes_; }
  [[nodiscard]] const LabelCounts* label_counts() const override {
    // A table without labels joins other columns to what is labelled already.
    return inner().label_counts() != nullptr || !counts_ ? inner().label_counts() : &*counts_;
  }
  [[nodiscard]] std::vector<std::string> selection_notes() const override { return notes_; }

 private:
  [[nodiscard]] std::size_t place(std::size_t index) const override { return rows_.at(index); }

  /// Labels, patients and the columns that are asked for.
  void take(const Table& table, const std::vector<std::string>& wanted, bool labels_matter) {
    const Join joined = join_table(table, samples_, wanted);
    check_any(table, joined);
    notes_.insert(notes_.end(), joined.notes.begin(), joined.notes.end());
    counts_ = joined.counts;
    if (table.labelled()) {
      take_labels(table, joined);
      if (labels_matter) tell_of_labels(table);
    }
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      Sample& sample = samples_[i];
      const std::size_t row = joined.rows[i];
      if (row == Join::kNone) continue;
      if (table.patient)
        if (const std::string_view patient = table.csv.field(row, *table.patient); !is_missing(patient))
          sample.patient = patient;  // hashed by name_samples()
      for (const std::string& name : wanted)
        if (const auto column = table.csv.find(name)) sample.attributes[name] = table.csv.field(row, *column);
    }
  }

  /// What a table that names no image says of the images is nothing, whatever it holds.
  void check_any(const Table& table, const Join& joined) const {
    if (joined.any || samples_.empty()) return;
    const std::string hint = joined.notes.empty() ? std::string() : fmt::format(" ({})", joined.notes.front());
    throw ConfigError(fmt::format(
        "{}: none of its {} rows names one of the {} images by column '{}'; expected their paths below the data's "
        "folder, file names, or either without the extension (--key names another column){}",
        table.name, table.csv.rows(), samples_.size(), printable(table.csv.columns()[table.key.at(0)]), hint));
  }

  void take_labels(const Table& table, const Join& joined) {
    std::map<std::string, std::int32_t, std::less<>> index;
    if (table.label) {
      classes_ = classes_of(table);
      for (const std::string& name : classes_) index.emplace(name, static_cast<std::int32_t>(index.size()));
    }
    const std::vector<std::size_t> outputs = name_findings(table, table.classes);
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      Sample& sample = samples_[i];
      sample.label = -1;
      if (table.several()) sample.findings.assign(classes_.size(), -1);
      const std::size_t row = joined.rows[i];
      if (row == Join::kNone) continue;
      for (std::size_t f = 0; f < outputs.size(); ++f)
        sample.findings[outputs[f]] = finding_of(table, row, table.findings[f]);
      if (!table.label) continue;
      if (!table.several()) {
        if (const auto label = label_of(table, row)) sample.label = index.at(*label);
      } else if (const auto there = findings_in(table, row)) {
        std::ranges::fill(sample.findings, std::int8_t{0});
        for (const std::string& name : *there) sample.findings[static_cast<std::size_t>(index.at(name))] = 1;
      }
    }
  }

  void tell_of_labels(const Table& table) {
    const auto labelled = [](const Sample& sample) {
      return sample.label >= 0 || std::ranges::any_of(sample.findings, [](std::int8_t known) { return known >= 0; });
    };
    if (std::ranges::none_of(samples_, labelled))
      notes_.push_back(
          fmt::format("{}: no image has a label; every value is missing (empty, NaN, NA, null)", table.name));
    if (table.decimal)
      notes_.push_back(fmt::format("{}: labels are written as 0.0, 1.0, ..; taken as the numbers", table.name));
    if (table.several()) return;
    if (const auto separator = separator_in(table.csv, *table.label))
      notes_.push_back(
          fmt::format("{}: column '{}' has values that look like several findings at once, and each combination is "
                      "taken as its own class; label: {{column: '{}', split: '{}'}} (--label-split '{}') splits them",
                      table.name, printable(table.csv.columns()[*table.label]),
                      printable(table.csv.columns()[*table.label]), *separator, *separator));
  }

  /// Which of the classes each column of findings is; without given ones the columns are the classes.
  std::vector<std::size_t> name_findings(const Table& table, const std::vector<std::string>& given) {
    if (table.findings.empty()) return {};
    std::vector<std::string> columns;
    for (const std::size_t column : table.findings) columns.push_back(table.csv.columns()[column]);
    classes_ = given.empty() ? columns : given;
    std::vector<std::size_t> outputs;
    for (const std::string& name : columns) {
      const auto found = std::ranges::find(classes_, name);
      if (found == classes_.end())
        throw ConfigError(fmt::format("{}: column '{}' is not one of the classes; expected one of {}", table.name,
                                      printable(name), join(classes_)));
      outputs.push_back(static_cast<std::size_t>(found - classes_.begin()));
    }
    return outputs;
  }

  /// Ids and patients become keyed hashes where patients are identified, or where it is asked for. Objects have such
  /// ids already; a table may identify their patients anew.
  void name_samples(const std::vector<Table>& tables, const DatasetOptions& options) {
    const bool of_table = std::ranges::any_of(tables, [](const Table& table) { return table.patient.has_value(); });
    const bool objects = reader() == Reader::dicom;
    if (options.ids == Ids::path && (of_table || objects))
      throw ConfigError("ids = path: patients are identified, and paths may name them; expected hash");
    const bool hashed = !objects && (of_table || options.ids == Ids::hash);
    if (!of_table && !hashed) return;
    const ProjectKey key(options.key_folder);
    std::size_t unknown = 0;
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      Sample& sample = samples_[i];
      if (hashed) sample.id = key.id("file", sample.id);
      if (!of_table || sample.patient == inner().samples()[i].patient) {
        unknown += sample.patient.empty() ? 1 : 0;
        continue;
      }
      // As an object of that PatientID without an issuer.
      sample.patient = key.id("patient", std::string(1, '\0') + sample.patient);
    }
    if (of_table && unknown > 0)
      notes_.push_back(fmt::format("{} images without a patient in the table; they count as one", unknown));
  }

  void check_columns(const std::vector<std::string>& wanted, const std::vector<Table>& tables) const {
    for (const std::string& name : wanted) {
      const auto in_table = [&](const Table& table) { return table.csv.find(name).has_value(); };
      const auto in_sample = [&](const Sample& sample) { return sample.attributes.contains(name); };
      if (std::ranges::any_of(tables, in_table) || std::ranges::any_of(samples_, in_sample)) continue;
      std::set<std::string> known;
      for (const Table& table : tables) known.insert(table.csv.columns().begin(), table.csv.columns().end());
      for (const Sample& sample : samples_)
        for (const auto& [attribute, value] : sample.attributes) known.insert(attribute);
      const std::vector<std::string> names(known.begin(), known.end());
      const std::string near = nearest(name, names);
      throw ConfigError(fmt::format("the samples have no '{}'; {}", printable(name),
                                    names.empty()  ? "expected a table of labels with such a column"
                                    : near.empty() ? "expected one of " + printable(join(names), 500)
                                                   : "nearest is '" + printable(near) + "'"));
    }
  }

  void keep_where(const std::map<std::string, std::vector<std::string>>& where) {
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      const bool fits = std::ranges::all_of(where, [&](const auto& condition) {
        const auto found = samples_[i].attributes.find(condition.first);
        const std::string value = found == samples_[i].attributes.end() ? std::string() : found->second;
        return std::ranges::find(condition.second, value) != condition.second.end();
      });
      if (fits) chosen.push_back(i);
    }
    std::vector<std::string> columns;
    columns.reserve(where.size());
    for (const auto& [column, values] : where) columns.push_back(printable(column));
    if (chosen.empty())
      throw FormatError(fmt::format("none of {} samples has the requested values of {}; expected some", samples_.size(),
                                    join(columns)));
    notes_.push_back(fmt::format("{} of {} samples are selected by {}", chosen.size(), samples_.size(), join(columns)));
    keep(chosen);
  }

  void keep(const std::vector<std::size_t>& chosen) {
    std::vector<Sample> samples;
    std::vector<std::size_t> rows;
    for (const std::size_t i : chosen) {
      samples.push_back(std::move(samples_[i]));
      rows.push_back(rows_[i]);
    }
    samples_ = std::move(samples);
    rows_ = std::move(rows);
  }

  std::vector<std::string> classes_;
  std::vector<Sample> samples_;
  std::vector<std::size_t> rows_;  ///< of inner(), one for each sample
  std::optional<LabelCounts> counts_;
  std::vector<std::string> notes_;
};

}  // namespace

std::unique_ptr<Dataset> select_samples(std::unique_ptr<Dataset> all, const std::vector<Table>& tables,
                                        const DatasetOptions& options) {
  return std::make_unique<SelectedDataset>(std::move(all), tables, options);
}

}  // namespace shiftnorm::imaging
