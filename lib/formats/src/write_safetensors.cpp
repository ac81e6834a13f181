#include <fmt/format.h>

#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/formats/convert.hpp"

namespace shiftnorm::formats {

std::vector<std::byte> write_safetensors(const Checkpoint& checkpoint, std::span<const Patch> patches,
                                         const std::map<std::string, std::string>& metadata) {
  std::vector<std::pair<std::string, Array>> arrays;
  for (const NamedTensor& tensor : checkpoint.tensors) arrays.emplace_back(tensor.name, tensor.values);
  for (const Patch& patch : patches) {
    try {
      bool found = false;
      for (auto& [name, array] : arrays) {
        if (name != patch.name) continue;
        if (static_cast<std::int64_t>(patch.values.size()) != array.shape().elements())
          throw ShapeError(fmt::format("given {} values; expected {} of shape {}", patch.values.size(),
                                       array.shape().elements(), array.shape().text()));
        encode_floats(patch.values, array.dtype(), array.bytes());
        found = true;
      }
      if (!found) throw Error("is not in the file");
    } catch (const Error&) {
      rethrow_at(fmt::format("{}: tensor '{}'", printable(checkpoint.file_name), printable(patch.name)));
    }
  }
  return container::write_safetensors(arrays, metadata);
}

}  // namespace shiftnorm::formats
