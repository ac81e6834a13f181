#include "shiftnorm/toolkit/output_files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "shiftnorm/container/csv.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"

namespace shiftnorm::toolkit {
namespace {

namespace fs = std::filesystem;

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

void write_bytes(const fs::path& path, std::span<const std::byte> bytes) { write_file(path, bytes); }

std::string quoted(const std::string& text) { return container::csv_field(text, container::CsvQuotes::always); }

bool writable(const fs::path& folder) { return ::access(folder.c_str(), W_OK | X_OK) == 0; }

}  // namespace

void OutputFiles::expect(std::string_view name, const fs::path& path) {
  const std::string file = path.filename().string();
  if (file.empty() || fs::is_directory(path))
    throw ConfigError(fmt::format("{} = {}: is a folder; expected a file's name", name, path.string()));
  // Writing renames over the target: a device or a pipe would be replaced by a file.
  if (fs::exists(path) && !fs::is_regular_file(path))
    throw ConfigError(fmt::format("{} = {}: is not a regular file; expected a file's name", name, path.string()));
  if (!fs::is_directory(folder_of(path)))
    throw ConfigError(fmt::format("{} = {}: its folder does not exist; expected one that does", name, path.string()));
  if (!writable(folder_of(path))) throw MachineError(fmt::format("{}: no permission to write to its folder", file));
}

void OutputFiles::set(const fs::path& path, std::string_view text) {
  const std::span<const std::byte> bytes = as_bytes(text);
  files_.push_back({path, {bytes.begin(), bytes.end()}, false});
}

void OutputFiles::set_private(const fs::path& path, std::string_view text) {
  set(path, text);
  files_.back().secret = true;
}

void OutputFiles::write() const {
  std::vector<fs::path> fresh;
  try {
    for (const File& file : files_) {
      const bool is_new = !fs::exists(file.path);
      (file.secret ? write_private_file : write_bytes)(file.path, file.bytes);
      if (is_new) fresh.push_back(file.path);
    }
  } catch (...) {
    std::error_code ignored;
    for (const fs::path& path : fresh) fs::remove(path, ignored);
    throw;
  }
}

void OutputFiles::set_exported(const fs::path& path, const Exported& exported) {
  for (const formats::OutputFile& companion : exported.companions)
    set(folder_of(path) / companion.name, companion.bytes);
  set(path, exported.bytes);
  set(provenance_path(path), exported.provenance);
}

std::string identities_csv(const imaging::Dataset& data) {
  std::string text = "id,path\n";
  for (std::size_t i = 0; i < data.samples().size(); ++i)
    text += fmt::format("{},{}\n", quoted(data.samples()[i].id), quoted(data.path(i)));
  for (const imaging::Place& place : data.other_places())
    text += fmt::format("{},{}\n", quoted(place.id), quoted(place.path));
  return text;
}

void check_folder_can_be_made(const fs::path& folder) {
  fs::path existing = fs::absolute(folder).lexically_normal();
  while (!fs::exists(existing) && existing.has_relative_path()) existing = existing.parent_path();
  if (!fs::is_directory(existing))
    throw ConfigError(
        fmt::format("--out = {}: '{}' is a file; expected a folder", folder.string(), existing.filename().string()));
  if (!writable(existing)) throw MachineError(fmt::format("{}: no permission to make it", folder.filename().string()));
}

}  // namespace shiftnorm::toolkit
