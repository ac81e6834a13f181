#include "hdf5_chunks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "shiftnorm/core/error.hpp"

// Source: HDF5 File Format Specification 3.0, III.A.1 (version 1 B-trees), IV.A.2.i (layout), VII.A to VII.C (indexes).
namespace shiftnorm::container::hdf5 {
namespace {

constexpr std::size_t kMaxChunks = std::size_t{1} << 20U;
constexpr unsigned kMaxDepth = 16;
/// Weights hardly shrink: what is promised beyond this is not a network.
constexpr std::uint64_t kMaxInflation = 64, kMaxInflationExtra = std::uint64_t{64} << 20U;

std::uint64_t most_bytes(Bytes file) { return kMaxInflation * file.size() + kMaxInflationExtra; }

/// How many chunks lie along each axis.
std::vector<std::int64_t> counts(const Chunks& chunks, const Shape& shape) {
  std::vector<std::int64_t> out;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis)
    out.push_back((shape[axis] + chunks.extents[axis] - 1) / chunks.extents[axis]);
  return out;
}

/// The chunks of a dataset in row-major order, as the newer indexes list them.
template <class Take>
void each_chunk(const Chunks& chunks, const Shape& shape, const Take& take) {
  const std::vector<std::int64_t> number = counts(chunks, shape);
  std::vector<std::int64_t> at(number.size(), 0);
  if (std::find(number.begin(), number.end(), 0) != number.end()) return;
  for (std::size_t seen = 0;; ++seen) {
    if (seen >= kMaxChunks) throw FormatError(fmt::format("more than {} chunks", kMaxChunks));
    std::vector<std::int64_t> origin;
    for (std::size_t axis = 0; axis < at.size(); ++axis) origin.push_back(at[axis] * chunks.extents[axis]);
    take(std::move(origin));
    std::size_t axis = at.size();
    while (axis > 0 && ++at[axis - 1] == number[axis - 1]) at[--axis] = 0;
    if (axis == 0) return;
  }
}

/// A version 1 B-tree of chunks.
class ChunkTree {
 public:
  ChunkTree(Bytes file, std::size_t rank, Chunks& out) : file_(file), rank_(rank), out_(out) {}

  void read(std::uint64_t address, unsigned depth) {
    constexpr unsigned kChunks = 1;
    if (depth > kMaxDepth || ++nodes_ > kMaxChunks) throw FormatError("an index of chunks deeper than any real file's");
    ByteReader reader = open_at(file_, address, "TREE");
    if (const unsigned type = reader.u8(); type != kChunks)
      throw FormatError(fmt::format("a B-tree of type {} as index of chunks", type));
    const unsigned level = reader.u8(), entries = reader.u16();
    reader.skip(16);  // its neighbours
    for (unsigned i = 0; i < entries; ++i) {
      Chunk chunk;
      chunk.size_at = {reader.position(), 4};
      chunk.size = reader.u32();
      chunk.mask_at = {reader.position(), 4};
      chunk.mask = reader.u32();
      for (std::size_t axis = 0; axis < rank_; ++axis)
        chunk.origin.push_back(static_cast<std::int64_t>(std::min(reader.u64(), std::uint64_t{1} << 62U)));
      reader.skip(8);  // inside an element
      chunk.address_at = {reader.position(), 8};
      chunk.address = reader.u64();
      if (level > 0)
        read(chunk.address, depth + 1);
      else
        out_.chunks.push_back(std::move(chunk));
      if (out_.chunks.size() > kMaxChunks) throw FormatError(fmt::format("more than {} chunks", kMaxChunks));
    }
  }

 private:
  Bytes file_;
  std::size_t rank_, nodes_ = 0;
  Chunks& out_;
};

void read_fixed_array(Bytes file, std::uint64_t address, const Shape& shape, Chunks& out) {
  ByteReader header = open_at(file, address, "FAHD");
  header.skip(1);
  const bool with_filters = header.u8() == 1;
  const unsigned entry = header.u8(), page_bits = header.u8();
  const std::uint64_t most = header.u64(), block = header.u64();
  if (block == kNowhere) return;
  if (page_bits >= 64 || most > std::uint64_t{1} << page_bits || most > kMaxChunks)
    throw UnsupportedError(fmt::format("has {} chunks; expected 1024 at most in a file of this layout", most));
  const unsigned size_width = with_filters ? entry - 12 : 0;
  if (entry != (with_filters ? 12 + size_width : 8U) || (with_filters && (entry < 13 || size_width > 8)))
    throw FormatError(fmt::format("an index of chunks with entries of {} bytes", entry));
  ByteReader reader = open_at(file, block, "FADB");
  reader.skip(2 + 8);
  const std::uint64_t first = reader.position();
  const Covered covered{block, first + most * entry};
  static_cast<void>(ByteReader(file, first).take(most * entry));
  each_chunk(out, shape, [&](std::vector<std::int64_t> origin) {
    if (reader.position() >= covered.end) throw FormatError("an index with fewer chunks than the dataset");
    Chunk chunk;
    chunk.origin = std::move(origin);
    chunk.covered = covered;
    chunk.address_at = {reader.position(), 8};
    chunk.address = reader.u64();
    chunk.size = out.bytes;
    if (with_filters) {
      chunk.size_at = {reader.position(), size_width};
      chunk.size = number(reader, size_width);
      chunk.mask_at = {reader.position(), 4};
      chunk.mask = reader.u32();
    }
    if (chunk.address != kNowhere) out.chunks.push_back(std::move(chunk));
  });
}

std::vector<std::byte> read_fill(const ObjectHeader& header, std::uint64_t width) {
  const Message* message = header.find(MessageType::fill_value);
  if (message == nullptr) return {};
  ByteReader reader(message->data);
  const unsigned version = reader.u8();
  bool defined = true;
  if (version == 3) {
    defined = (reader.u8() & 0x20U) != 0;
  } else {
    reader.skip(2);
    defined = reader.u8() != 0 || version == 1;
  }
  if (!defined) return {};
  const std::uint64_t size = reader.u32();
  if (size == 0) return {};
  if (size != width) throw UnsupportedError("has a fill value of another type");
  const Bytes value = reader.take(size);
  return {value.begin(), value.end()};
}

/// Each chunk once at most: a small file could else ask for any amount of unpacking.
void check_bounds(Bytes file, const Chunks& chunks, const Shape& shape) {
  std::uint64_t most = 1;
  for (const std::int64_t count : counts(chunks, shape))
    most = std::min<std::uint64_t>(most * static_cast<std::uint64_t>(count), std::uint64_t{1} << 31U);
  if (chunks.chunks.size() > most || chunks.chunks.size() * chunks.bytes > most_bytes(file))
    throw FormatError(fmt::format("{} chunks of {} bytes for {}", chunks.chunks.size(), chunks.bytes, shape.text()));
  for (const Chunk& chunk : chunks.chunks) {
    if (chunk.address > file.size() || chunk.size > file.size() - chunk.address)
      throw FormatError("a chunk does not lie inside the file: it is damaged or cut short");
    for (std::size_t axis = 0; axis < shape.rank(); ++axis)
      if (chunk.origin[axis] % chunks.extents[axis] != 0 || chunk.origin[axis] >= shape[axis])
        throw FormatError("a chunk lies outside its dataset");
  }
}

/// Runs of bytes that lie together in a chunk and in the dense array.
template <class Copy>
void each_run(const Chunks& chunks, const Chunk& chunk, const Shape& shape, std::uint64_t width, const Copy& copy) {
  const std::size_t rank = shape.rank();
  std::vector<std::int64_t> inside;  // extents of the part inside the dataset
  for (std::size_t axis = 0; axis < rank; ++axis)
    inside.push_back(std::min(chunks.extents[axis], shape[axis] - chunk.origin[axis]));
  const std::size_t last = rank - 1;
  const auto run = static_cast<std::uint64_t>(inside[last]) * width;
  std::vector<std::int64_t> at(rank, 0);
  for (;;) {
    std::uint64_t in_chunk = 0, in_dense = 0;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      in_chunk = in_chunk * static_cast<std::uint64_t>(chunks.extents[axis]) + static_cast<std::uint64_t>(at[axis]);
      in_dense = in_dense * static_cast<std::uint64_t>(shape[axis]) +
                 static_cast<std::uint64_t>(chunk.origin[axis] + at[axis]);
    }
    copy(in_chunk * width, in_dense * width, run);
    std::size_t axis = last;
    while (axis > 0 && ++at[axis - 1] == inside[axis - 1]) at[--axis] = 0;
    if (axis == 0) return;
  }
}

}  // namespace

Chunks read_chunks(Bytes file, const ObjectHeader& header, const Message& layout, const Shape& shape,
                   std::uint64_t width) {
  enum : unsigned { single = 1, implicit = 2, fixed_array = 3 };
  Chunks out;
  ByteReader reader(layout.data);
  const unsigned version = reader.u8();
  reader.skip(1);
  const unsigned flags = version == 4 ? reader.u8() : 0, rank = reader.u8();
  if (rank != shape.rank() + 1 || rank < 2)
    throw FormatError(fmt::format("chunks of {} axes for {}", rank, shape.text()));
  if (version == 3) out.index = reader.u64();
  const unsigned wide = version == 4 ? reader.u8() : 4;
  if (wide == 0 || wide > 8) throw FormatError(fmt::format("extents of {} bytes", wide));
  out.bytes = width;
  for (unsigned axis = 0; axis + 1 < rank; ++axis) {
    const std::uint64_t extent = number(reader, wide);
    if (extent == 0 || extent > std::uint64_t{1} << 32U || __builtin_mul_overflow(out.bytes, extent, &out.bytes) ||
        out.bytes > std::uint64_t{1} << 32U)
      throw FormatError(fmt::format("a chunk with an extent of {}", extent));
    out.extents.push_back(static_cast<std::int64_t>(extent));
  }
  if (const std::uint64_t element = number(reader, wide); element != width)
    throw FormatError(fmt::format("chunks of elements of {} bytes; expected {}", element, width));
  std::uint64_t values = 0;
  const std::uint64_t most = most_bytes(file);
  if (__builtin_mul_overflow(static_cast<std::uint64_t>(shape.elements()), width, &values) || values > most ||
      out.bytes > most)
    throw FormatError(fmt::format("{} values in chunks of {} bytes, more than {} times the file", shape.text(),
                                  out.bytes, kMaxInflation));
  if (const Message* filters = header.find(MessageType::filters)) {
    if (filters->shared) throw UnsupportedError("has filters that are stored elsewhere");
    out.filters = read_filters(filters->data);
    check_filters(out.filters);
  }
  out.fill = read_fill(header, width);
  if (version == 3) {
    if (out.index != kNowhere) ChunkTree(file, shape.rank(), out).read(out.index, 0);
    check_bounds(file, out, shape);
    return out;
  }
  if ((flags & 1U) != 0 && !out.filters.empty())
    throw UnsupportedError("has chunks at its edges that are not filtered");
  const unsigned kind = reader.u8();
  Chunk one;
  one.size = out.bytes;
  if (kind == single && (flags & 2U) != 0) {
    one.size_at = {layout.offset + reader.position(), 8};
    one.size = reader.u64();
    one.mask_at = {layout.offset + reader.position(), 4};
    one.mask = reader.u32();
  }
  if (kind == fixed_array) reader.skip(1);  // bits of a page
  if (kind != single && kind != implicit && kind != fixed_array)
    throw UnsupportedError(
        fmt::format("is stored in chunks of an extendible index ({}), as libver='latest' writes for maxshape; "
                    "expected a dataset of a fixed shape",
                    kind));
  one.address_at = {layout.offset + reader.position(), 8};
  one.covered = layout.covered;
  out.index = reader.u64();
  if (out.index == kNowhere) return out;
  if (kind == fixed_array) {
    read_fixed_array(file, out.index, shape, out);
  } else {
    std::uint64_t address = out.index;
    each_chunk(out, shape, [&](std::vector<std::int64_t> origin) {
      Chunk chunk = one;
      chunk.origin = std::move(origin);
      chunk.address = address;
      address += out.bytes;
      if (kind == implicit) chunk.address_at = {};
      out.chunks.push_back(std::move(chunk));
    });
  }
  check_bounds(file, out, shape);
  return out;
}

std::vector<std::byte> read_values(Bytes file, const Chunks& chunks, const Shape& shape, std::uint64_t width) {
  std::vector<std::byte> dense(static_cast<std::uint64_t>(shape.elements()) * width);
  for (std::size_t i = 0; !chunks.fill.empty() && i < dense.size(); i += width)
    std::memcpy(dense.data() + i, chunks.fill.data(), width);
  for (const Chunk& chunk : chunks.chunks) {
    const std::vector<std::byte> values =
        unfiltered(file.subspan(chunk.address, chunk.size), chunks.filters, chunk.mask, chunks.bytes);
    each_run(chunks, chunk, shape, width, [&](std::uint64_t in_chunk, std::uint64_t in_dense, std::uint64_t size) {
      std::memcpy(dense.data() + in_dense, values.data() + in_chunk, size);
    });
  }
  return dense;
}

std::vector<std::byte> cut(Bytes dense, const Chunks& chunks, const Chunk& chunk, const Shape& shape,
                           std::uint64_t width, std::vector<std::byte> before) {
  each_run(chunks, chunk, shape, width, [&](std::uint64_t in_chunk, std::uint64_t in_dense, std::uint64_t size) {
    std::memcpy(before.data() + in_chunk, dense.data() + in_dense, size);
  });
  return before;
}

}  // namespace shiftnorm::container::hdf5
