#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "recognise.hpp"
#include "shiftnorm/container/zip.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/formats/checkpoint.hpp"

namespace shiftnorm::formats {
namespace {

/// One element's new bytes and their place in the file.
struct Write {
  std::uint64_t offset = 0;
  std::size_t width = 0;
  std::array<std::byte, 8> bytes{};
  std::size_t patch = 0;

  [[nodiscard]] std::uint64_t end() const { return offset + width; }
};

void add_writes(const NamedTensor& tensor, const Patch& patch, std::size_t index, std::vector<Write>& writes) {
  if (!tensor.origin) throw UnsupportedError("cannot be written back: its values are compressed in the file");
  const Origin& origin = *tensor.origin;
  const Shape& shape = tensor.values.shape();
  if (static_cast<std::int64_t>(patch.values.size()) != shape.elements())
    throw ShapeError(
        fmt::format("given {} values; expected {} of shape {}", patch.values.size(), shape.elements(), shape.text()));
  const std::size_t width = size_of(origin.dtype);
  std::vector<std::byte> encoded(patch.values.size() * width);
  encode_floats(patch.values, origin.dtype, encoded);

  std::vector<std::int64_t> position(shape.rank(), 0);
  for (std::size_t i = 0; i < patch.values.size(); ++i) {
    std::int64_t element = 0;
    for (std::size_t axis = 0; axis < shape.rank(); ++axis) element += position[axis] * origin.strides[axis];
    Write write{origin.offset + static_cast<std::uint64_t>(element) * width, width, {}, index};
    std::memcpy(write.bytes.data(), encoded.data() + i * width, width);
    writes.push_back(write);
    for (std::size_t axis = shape.rank(); axis-- > 0;) {
      if (++position[axis] < shape[axis]) break;
      position[axis] = 0;
    }
  }
}

/// Two names may share a storage: then they must be given the same values.
void check_conflicts(std::vector<Write>& writes, std::span<const Patch> patches) {
  std::stable_sort(writes.begin(), writes.end(), [](const Write& a, const Write& b) { return a.offset < b.offset; });
  for (std::size_t i = 1; i < writes.size(); ++i) {
    const Write &a = writes[i - 1], &b = writes[i];
    if (b.offset >= a.end()) continue;
    if (a.offset != b.offset || a.width != b.width || a.bytes != b.bytes)
      throw UnsupportedError(
          fmt::format("'{}' and '{}' share storage in the file and are given different values; expected the same",
                      printable(patches[a.patch].name), printable(patches[b.patch].name)));
  }
}

void write_crc(std::vector<std::byte>& file, std::uint64_t offset, std::uint32_t crc) {
  for (unsigned i = 0; i < 4; ++i) file[offset + i] = static_cast<std::byte>(crc >> (8U * i));
}

void mend_checksums(std::vector<std::byte>& file, const std::vector<Write>& writes) {
  for (const container::ZipMember& member : container::index_zip(file)) {
    const auto first = std::lower_bound(writes.begin(), writes.end(), member.data_offset,
                                        [](const Write& write, std::uint64_t offset) { return write.offset < offset; });
    if (first == writes.end() || first->offset >= member.data_offset + member.compressed_size) continue;
    write_member_crc(file, member,
                     container::crc32(std::span(file).subspan(member.data_offset, member.compressed_size)));
  }
}

}  // namespace

void write_member_crc(std::vector<std::byte>& file, const container::ZipMember& member, std::uint32_t crc) {
  write_crc(file, member.central_crc_offset, crc);
  for (const std::uint64_t offset : {member.local_crc_offset, member.descriptor_crc_offset})
    if (offset != 0) write_crc(file, offset, crc);
}

std::vector<std::byte> patched(const Checkpoint& checkpoint, std::span<const Patch> patches) {
  try {
    std::vector<Write> writes;
    for (std::size_t i = 0; i < patches.size(); ++i) {
      const std::string where = fmt::format("tensor '{}'", printable(patches[i].name));
      const NamedTensor* tensor = checkpoint.find(patches[i].name);
      if (tensor == nullptr) throw Error(fmt::format("{} is not in the file", where));
      try {
        add_writes(*tensor, patches[i], i, writes);
      } catch (const Error&) {
        rethrow_at(where);
      }
    }
    check_conflicts(writes, patches);
    std::vector<std::byte> file = checkpoint.bytes;
    for (const Write& write : writes) std::memcpy(file.data() + write.offset, write.bytes.data(), write.width);
    if (checkpoint.format == "pytorch-zip" || checkpoint.format == "keras") mend_checksums(file, writes);
    return file;
  } catch (const Error&) {
    rethrow_at(printable(checkpoint.file_name));
  }
}

std::vector<OutputFile> write_in_place(const Checkpoint& checkpoint, std::span<const Patch> patches,
                                       const std::string& file_name) {
  return {{file_name, patched(checkpoint, patches)}};
}

std::vector<std::byte> in_inference_mode(std::span<const std::byte> onnx_file) {
  return onnx_in_inference_mode(onnx_file);
}

std::vector<OutputFile> write_checkpoint(const Checkpoint& checkpoint, std::span<const Patch> patches,
                                         const std::string& file_name) {
  return format_named(checkpoint.format).write(checkpoint, patches, file_name);
}

}  // namespace shiftnorm::formats
