#include "shiftnorm/formats/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "recognise.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::formats {

const NamedTensor* Checkpoint::find(std::string_view name) const {
  const auto at = std::find_if(tensors.begin(), tensors.end(), [name](const NamedTensor& t) { return t.name == name; });
  return at == tensors.end() ? nullptr : &*at;
}

std::vector<std::byte> Neighbours::read(std::string_view name) const {
  const std::filesystem::path file(name);
  if (name.empty() || name.find('\0') != std::string_view::npos || file.has_root_path() || file.has_parent_path() ||
      name == "." || name == "..")
    throw UnsupportedError(
        fmt::format("refers to '{}'; expected the name of a file in its own folder", printable(name)));
  if (!folder) throw FormatError(fmt::format("refers to '{}' beside it, and its folder is not known", printable(name)));
  // A link could lead anywhere; a device could be read for ever.
  if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(*folder / file)))
    throw FormatError(fmt::format("refers to '{}'; expected a regular file of that name beside it", printable(name)));
  return read_file(*folder / file);
}

namespace {

Checkpoint parse(std::vector<std::byte> bytes, std::string file_name, const Neighbours& neighbours) {
  try {
    const Format& format = recognise(bytes);
    Contents contents = format.read(bytes, neighbours);
    Checkpoint checkpoint;
    checkpoint.format = format.name;
    checkpoint.sha256 = sha256_hex(bytes);
    checkpoint.tensors = std::move(contents.tensors);
    checkpoint.graph = std::move(contents.graph);
    checkpoint.sizeless = std::move(contents.sizeless);
    checkpoint.companions = std::move(contents.companions);
    checkpoint.bytes = std::move(bytes);
    checkpoint.file_name = std::move(file_name);
    return checkpoint;
  } catch (const Error&) {
    rethrow_at(printable(file_name));
  }
}

}  // namespace

Description describes_nothing(std::span<const std::byte> /*file*/, const Neighbours&) {
  throw UnsupportedError("describes no network; expected an ONNX model");
}

Architecture read_architecture(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const std::vector<std::byte> bytes = read_file(path);
  try {
    const Format& format = recognise(bytes);
    Description description = format.describe(bytes, {folder});
    return {std::string(format.name), path.filename().string(), std::move(description.network),
            std::move(description.values)};
  } catch (const Error&) {
    rethrow_at(printable(path.filename().string()));
  }
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  return parse(read_file(path), path.filename().string(), {folder});
}

Checkpoint parse_checkpoint(std::vector<std::byte> bytes, std::string file_name) {
  return parse(std::move(bytes), std::move(file_name), {});
}

}  // namespace shiftnorm::formats
