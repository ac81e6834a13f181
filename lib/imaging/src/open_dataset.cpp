#include <fmt/format.h>

#include <filesystem>

#include "array_dataset.hpp"
#include "dicom/dicom_dataset.hpp"
#include "folder_dataset.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {
namespace {

namespace fs = std::filesystem;

/// FILE or FILE#KEY. A '#' that is part of an existing name is no separator.
std::pair<fs::path, std::string> split_key(const std::string& where) {
  std::error_code ignored;
  const std::size_t hash = where.rfind('#');
  if (hash == std::string::npos || fs::exists(where, ignored)) return {where, {}};
  return {where.substr(0, hash), where.substr(hash + 1)};
}

/// The last component, also of "folder/".
std::string shown(const fs::path& path) {
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

}  // namespace

std::unique_ptr<Dataset> open_dataset(const std::string& where, const DatasetOptions& options) {
  const auto [path, key] = split_key(where);
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found || path.empty())
    throw FormatError(fmt::format("{}: no such file or folder; expected a data set", shown(path)));
  if (status.type() == fs::file_type::none)
    throw MachineError(fmt::format("{}: cannot be examined: {}", shown(path), error.message()));
  const bool folder = fs::is_directory(status);
  if (options.reader == Reader::folder && !folder)
    throw ConfigError(fmt::format("{}: is a file; reader 'folder' expects a folder of images", shown(path)));
  if (options.reader == Reader::array && folder)
    throw ConfigError(fmt::format("{}: is a folder; reader 'array' expects .npy, .npz or .safetensors", shown(path)));
  const bool automatic = options.reader == Reader::automatic && key.empty();
  if (options.reader == Reader::dicom ||
      (automatic && !named_like_array(path) && (folder ? dicom::holds_dicom(path) : dicom::is_dicom_source(path)))) {
    // Folders carry names of patients: errors do not name them.
    return dicom::open_dicom(path, options);
  }
  if (!folder) {
    if (!named_like_array(path))
      throw UnsupportedError(fmt::format(
          "{}: is no known data set; expected a folder of images or DICOM objects, .npy, .npz or .safetensors",
          shown(path)));
    return open_array(path, key, options);
  }
  if (!key.empty()) throw ConfigError(fmt::format("{}: is a folder; '#{}' names an array of a file", shown(path), key));
  try {
    return open_folder(path, options);
  } catch (...) {
    rethrow_at(shown(path));
  }
}

}  // namespace shiftnorm::imaging
