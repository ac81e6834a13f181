#include "readers.hpp"
#include "shiftnorm/container/safetensors.hpp"

namespace shiftnorm::formats {
namespace {

std::vector<std::int64_t> row_major_strides(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.rank());
  for (std::size_t axis = 0; axis < shape.rank(); ++axis)
    strides[axis] = shape.elements() == 0 ? 1 : shape.elements_from(axis + 1);
  return strides;
}

}  // namespace

Contents read_safetensors_checkpoint(std::span<const std::byte> file, const Neighbours& /*neighbours*/) {
  Contents contents;
  for (const container::SafetensorsEntry& entry : container::index_safetensors(file).entries)
    contents.tensors.push_back({entry.name, container::read_entry(file, entry),
                                Origin{entry.begin, entry.dtype, row_major_strides(entry.shape)}});
  return contents;
}

}  // namespace shiftnorm::formats
