#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "array_dataset.hpp"
#include "dicom/dicom_dataset.hpp"
#include "folder_dataset.hpp"
#include "selected_dataset.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/imaging/dataset.hpp"
#include "table_dataset.hpp"

namespace shiftnorm::imaging {
namespace {

namespace fs = std::filesystem;

/// FILE or FILE#KEY. A '#' that is part of an existing name is not a separator.
std::pair<fs::path, std::string> split_key(const std::string& where) {
  std::error_code ignored;
  const std::size_t hash = where.rfind('#');
  if (hash == std::string::npos || fs::exists(where, ignored)) return {where, {}};
  return {where.substr(0, hash), where.substr(hash + 1)};
}

/// What messages call tables where patients are identified: their names may be patients'.
constexpr std::string_view kLabels = "the table of labels", kImages = "the list of images";

/// The last component, also of "folder/".
std::string shown(const fs::path& path) {
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

std::unique_ptr<Dataset> open_files(const fs::path& path, const std::string& key, bool folder,
                                    const DatasetOptions& options, bool classes) {
  if (!folder) return open_array(path, key, options);
  if (!key.empty()) throw ConfigError(fmt::format("{}: is a folder; '#{}' names an array of a file", shown(path), key));
  try {
    return open_folder(path, options, classes);
  } catch (...) {
    rethrow_at(shown(path));
  }
}

/// Names by which samples are known besides their ids.
std::vector<std::string> keys_of(const Dataset& data) {
  std::set<std::string> names;
  for (const Sample& sample : data.samples())
    for (const auto& [name, value] : sample.keys) names.insert(name);
  return {names.begin(), names.end()};
}

/// Whether the objects themselves are to say of which class they are.
bool by_objects(const DicomOptions& dicom) { return dicom.label_folders || !dicom.label.tag.empty(); }

/// Columns are the table's where it has them and attributes of the objects otherwise. What the objects are chosen by
/// here is taken out of `options`.
std::unique_ptr<Dataset> open_objects(const fs::path& path, const std::vector<Table>& tables, DatasetOptions& options) {
  const auto in_table = [&](const std::string& column) {
    return std::ranges::any_of(tables, [&](const Table& table) { return table.csv.find(column).has_value(); });
  };
  DatasetOptions plain = options;
  plain.where.clear();
  plain.keep.clear();
  for (const auto& [column, values] : options.where)
    if (!in_table(column)) plain.dicom.where[column] = values;
  for (const std::string& column : options.keep)
    if (!in_table(column)) plain.keep.push_back(column);
  for (const std::string& attribute : options.dicom.keep) {
    if (std::ranges::find(options.keep, attribute) != options.keep.end()) continue;
    plain.keep.push_back(attribute);
    options.keep.push_back(attribute);
  }
  std::erase_if(options.where, [&](const auto& condition) { return !in_table(condition.first); });
  if (!tables.empty() && tables[0].labelled()) plain.classes = {};  // they are the names of the table's labels
  if (tables.empty())
    options.limit = {};  // for the objects' reader, which knows what belongs to a series
  else
    plain.limit = {};
  return dicom::open_dicom(path, plain);
}

/// The column that a list of images has them in.
void find_images(Table& list, const std::vector<std::string>& given) {
  if (given.size() > 1)
    throw ConfigError(
        fmt::format("{}: {} columns are the key; expected one, with the image files", list.name, given.size()));
  if (given.empty() && !list.csv.find("path"))
    throw ConfigError(fmt::format(
        "{}: no column 'path'; expected one with the image files, or its name as the key (--key COLUMN), of {}",
        list.name, printable(join(list.csv.columns()), 500)));
  find_key(list, given, {});
}

/// What a reader accepts.
void check_reader(Reader reader, const fs::path& path, bool folder) {
  const auto wrong = [&](std::string_view expected) {
    throw ConfigError(fmt::format("{}: is a {}; {}", shown(path), folder ? "folder" : "file", expected));
  };
  if (reader == Reader::folder && !folder) wrong("reader 'folder' expects a folder of images");
  if (reader == Reader::array && (folder || named_like_table(path)))
    wrong("reader 'array' expects .npy, .npz or .safetensors");
  if (reader == Reader::table && folder) wrong("reader 'table' expects .csv, .tsv or .txt");
  if (reader != Reader::table && !folder && !named_like_array(path) && !named_like_table(path))
    throw UnsupportedError(fmt::format(
        "{}: is not a known kind of data set; expected a folder of images or DICOM objects, a table (.csv), .npy, "
        ".npz or .safetensors",
        shown(path)));
}

}  // namespace

std::unique_ptr<Dataset> open_dataset(const std::string& where, const DatasetOptions& options) {
  try {
    check_classes(options.classes);
  } catch (const ConfigError&) {
    rethrow_at("classes");
  }
  const auto [path, key] = split_key(where);
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found || path.empty())
    throw FormatError(fmt::format("{}: no such file or folder; expected a data set", shown(path)));
  if (status.type() == fs::file_type::none)
    throw MachineError(fmt::format("{}: cannot be examined: {}", shown(path), error.message()));
  const bool folder = fs::is_directory(status);
  const bool automatic = options.reader == Reader::automatic && key.empty() && !named_like_array(path);
  const bool objects = options.reader == Reader::dicom ||
                       (automatic && (folder ? holds_dicom(path) : !named_like_table(path) && is_dicom_source(path)));
  if (!objects) check_reader(options.reader, path, folder);
  if (!objects && !options.dicom.label.tag.empty())
    throw ConfigError(fmt::format("{}: holds no DICOM objects; expected a label that is not a tag", shown(path)));

  std::vector<Table> tables;
  DatasetOptions chosen = options;
  std::unique_ptr<Dataset> all;
  const bool beside = !options.labels.file.empty();
  const bool unnamed = objects || options.ids == Ids::hash || !options.labels.patient.empty();
  if (beside)
    tables.push_back(read_table(options.labels.file, options.labels, options.classes, unnamed ? kLabels : ""));
  if (beside && folder) tables[0].root = fs::absolute(path / "").lexically_normal();
  if (objects) {
    // A table beside them may have a column of that name for other ends.
    if (beside && by_objects(options.dicom)) tables[0].label.reset();
    // Folders carry names of patients: errors do not name them.
    all = open_objects(path, tables, chosen);
  } else if (!folder && (options.reader == Reader::table || (!named_like_array(path) && named_like_table(path)))) {
    // With labels beside it the columns that are named are theirs; the list itself is identified by its paths.
    Table list = read_table(path, beside ? LabelTable{} : options.labels, options.classes, unnamed ? kImages : "");
    if (list.patient || (beside && tables[0].patient)) list.name = kImages;
    find_images(list, beside ? std::vector<std::string>{} : options.labels.key);
    all = open_table(list, path.parent_path());
    tables.insert(tables.begin(), std::move(list));
  } else {
    DatasetOptions plain = options;
    plain.limit = {};
    const bool by_table = beside && tables[0].labelled();
    if (by_table) plain.classes = {};  // they are the names of the table's labels
    for (const auto& [column, values] : options.where) plain.keep.push_back(column);
    all = open_files(path, key, folder, plain, !by_table);
  }
  if (beside && std::ranges::any_of(tables, [](const Table& table) { return table.patient.has_value(); }))
    tables.back().name = kLabels;
  if (beside) find_key(tables.back(), options.labels.key, keys_of(*all));
  const bool everything = tables.empty() && chosen.where.empty() && chosen.keep.empty() && !chosen.limit.per_class &&
                          !chosen.limit.images && options.ids == Ids::by_data;
  return everything ? std::move(all) : select_samples(std::move(all), tables, chosen);
}

}  // namespace shiftnorm::imaging
