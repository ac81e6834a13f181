#include "shiftnorm/container/npy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "npy_header.hpp"
#include "shiftnorm/container/byte_reader.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::container {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::uint64_t kMaxNpyHeader = 1U << 16U;

void swap_bytes(std::span<std::byte> bytes, std::size_t width) {
  for (std::size_t i = 0; i + width <= bytes.size(); i += width)
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i),
                 bytes.begin() + static_cast<std::ptrdiff_t>(i + width));
}

/// First index fastest, as stored, to last index fastest.
std::vector<std::byte> to_row_major(std::span<const std::byte> stored, const Shape& shape, std::size_t width) {
  std::vector<std::byte> out(stored.size());
  std::vector<std::int64_t> index(shape.rank(), 0);
  std::vector<std::size_t> strides(shape.rank(), width);
  for (std::size_t axis = 1; axis < shape.rank(); ++axis)
    strides[axis] = strides[axis - 1] * static_cast<std::size_t>(shape[axis - 1]);
  std::size_t from = 0;
  for (std::size_t to = 0; to < out.size(); to += width) {
    std::memcpy(out.data() + to, stored.data() + from, width);
    for (std::size_t axis = shape.rank(); axis-- > 0;) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * static_cast<std::size_t>(shape[axis]);
      index[axis] = 0;
    }
  }
  return out;
}

std::string_view read_header_text(ByteReader& reader) {
  if (reader.left() < kMagic.size() + 2 || reader.take_text(kMagic.size()) != kMagic)
    throw FormatError("npy: does not begin like an .npy file");
  const std::uint8_t major = reader.u8(), minor = reader.u8();
  if (major < 1 || major > 3 || minor != 0)
    throw UnsupportedError(fmt::format("npy: format version {}.{}; supported are 1.0, 2.0 and 3.0", major, minor));
  const std::uint64_t size = major == 1 ? reader.u16() : reader.u32();
  if (size > kMaxNpyHeader)
    throw FormatError(fmt::format("npy: header of {} bytes; expected at most {}", size, kMaxNpyHeader));
  return reader.take_text(size);
}

Shape checked_shape(const NpyHeader& header) {
  try {
    return Shape(header.shape);
  } catch (const ShapeError& e) {
    throw FormatError(fmt::format("npy: {}", e.what()));
  }
}

}  // namespace

Array read_npy(std::span<const std::byte> file) {
  ByteReader reader(file);
  const NpyHeader header = parse_npy_header(read_header_text(reader));
  const Shape shape = checked_shape(header);
  const std::size_t width = size_of(header.dtype);
  std::int64_t size = 0;
  if (__builtin_mul_overflow(shape.elements(), static_cast<std::int64_t>(width), &size) ||
      static_cast<std::uint64_t>(size) != reader.left())
    throw FormatError(fmt::format("npy: {} bytes follow the header; expected those of {} {}", reader.left(),
                                  name_of(header.dtype), shape.text()));
  const std::span<const std::byte> raw = reader.take(reader.left());
  std::vector<std::byte> bytes = header.fortran_order && shape.rank() > 1
                                     ? to_row_major(raw, shape, width)
                                     : std::vector<std::byte>(raw.begin(), raw.end());
  if (header.big_endian) swap_bytes(bytes, width);
  return {header.dtype, shape, std::move(bytes)};
}

}  // namespace shiftnorm::container
