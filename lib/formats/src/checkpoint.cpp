#include "shiftnorm/formats/checkpoint.hpp"

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

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  return parse_checkpoint(read_file(path), path.filename().string());
}

Checkpoint parse_checkpoint(std::vector<std::byte> bytes, std::string file_name) {
  try {
    const Format& format = recognise(bytes);
    Contents contents = format.read(bytes);
    Checkpoint checkpoint;
    checkpoint.format = format.name;
    checkpoint.sha256 = sha256_hex(bytes);
    checkpoint.tensors = std::move(contents.tensors);
    checkpoint.graph = std::move(contents.graph);
    checkpoint.bytes = std::move(bytes);
    checkpoint.file_name = std::move(file_name);
    return checkpoint;
  } catch (const Error&) {
    rethrow_at(printable(file_name));
  }
}

}  // namespace shiftnorm::formats
