#include "table_options.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;

constexpr OptionSpec kTable[] = {
    {"labels", "CSV", "a table with a row for each image: labels, and columns for --where and --domain"},
    {"key", "COLUMN,..",
     "the table's columns that identify an image: paths, file names, either without extension (default: path)"},
    {"label", "COLUMN,..",
     "the table's column of class names (default: label), or several of findings: 0, 1, or empty where unknown; "
     "DICOM: folder takes the first folder"},
    {"label-split", "SEPARATOR", "the column holds several findings at once, such as A|B or ['A', 'B']"},
    {"label-none", "VALUE,..", "of these findings: what means none, e.g. 'No Finding'"},
    {"label-tag", "KEYWORD", "DICOM: the attribute whose value is the class, e.g. ViewPosition"},
    {"label-map", "VALUE=CLASS,..", "the classes of that attribute's values; others have no label"},
    {"patient", "COLUMN", "the table's column that identifies patients (default: patient)"},
    {"ids", "path|hash", "how outputs name the images (default: hash where patients are identified, else path)"},
    {"identify", "FILE", "also write the path of each id: FILE may identify patients, mode 0600"},
    {"where", "K=V,..", "only images with one of these values in column or DICOM attribute K; may be repeated", true},
};

/// K=V,V..; the same K again adds values.
void parse_where(const std::string& text, std::map<std::string, std::vector<std::string>>& where) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw ConfigError(fmt::format("'{}'; expected COLUMN=VALUE or COLUMN=VALUE,VALUE", printable(text)));
  for (std::string& value : split(text.substr(equals + 1), ','))
    where[text.substr(0, equals)].push_back(std::move(value));
}

std::map<std::string, std::string> parse_label_map(const std::string& text) {
  std::map<std::string, std::string> map;
  for (const std::string& part : split(text, ',')) {
    const std::size_t equals = part.rfind('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == part.size())
      throw ConfigError(fmt::format("'{}'; expected VALUE=CLASS", printable(part)));
    if (!map.emplace(part.substr(0, equals), part.substr(equals + 1)).second)
      throw ConfigError(
          fmt::format("'{}' is given twice; expected each value once", printable(part.substr(0, equals))));
  }
  return map;
}

void read_label_options(const Options& options, imaging::DatasetOptions& dataset) {
  if (options.has("label-map") && !options.has("label-tag"))
    throw ConfigError("--label-map: expected --label-tag KEYWORD with it");
  if (options.has("label-tag")) {
    if (options.has("label"))
      throw ConfigError("--label-tag: defines the label, and so does --label; expected one of them");
    dataset.dicom.label.tag = options.text("label-tag");
    if (options.has("label-map"))
      dataset.dicom.label.map = from_option("label-map", [&] { return parse_label_map(options.text("label-map")); });
    return;
  }
  dataset.labels.split = options.text("label-split");
  if (options.has("label-none")) dataset.labels.none = split(options.text("label-none"), ',');
  if (options.has("label-none") && !options.has("label-split"))
    throw ConfigError("--label-none: expected --label-split SEPARATOR with it");
  const std::vector<std::string> labels = split(options.text("label"), ',');
  if (options.has("label-split") && (labels.size() > 1 || labels[0] == "folder"))
    throw ConfigError("--label-split: splits one column; expected one column as --label");
  if (labels.size() > 1)
    dataset.labels.findings = labels;
  else if (labels[0] == "folder")
    dataset.dicom.label_folders = true;
  else
    dataset.labels.label = labels[0];
}

}  // namespace

std::span<const OptionSpec> table_options() { return kTable; }

void read_table_options(const Options& options, imaging::DatasetOptions& dataset) {
  dataset.labels.file = options.text("labels");
  if (options.has("key")) dataset.labels.key = split(options.text("key"), ',');
  read_label_options(options, dataset);
  dataset.labels.patient = options.text("patient");
  dataset.ids = options.named("ids", imaging::kIds, dataset.ids);
  from_option("where", [&] {
    for (const std::string& condition : options.texts("where")) parse_where(condition, dataset.where);
  });
}

void expect_identities(const Options& options, OutputFiles& files) {
  if (options.has("identify")) files.expect("--identify", options.text("identify"));
}

void set_identities(const Options& options, const imaging::Dataset& data, OutputFiles& files, Console& console) {
  if (!options.has("identify")) return;
  const fs::path path = options.text("identify");
  files.set_private(path, toolkit::identities_csv(data));
  console.warn(fmt::format("{}: maps ids to paths, and paths may identify patients; its mode is 0600",
                           path.filename().string()));
}

}  // namespace shiftnorm::app
