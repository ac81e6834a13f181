#pragma once

#include <cstdint>
#include <vector>

#include "hdf5_filters.hpp"
#include "hdf5_header.hpp"
#include "shiftnorm/core/array.hpp"

namespace shiftnorm::container::hdf5 {

/// A number in the index of chunks; width 0: it is not stored.
struct Place {
  std::uint64_t offset = 0;
  unsigned width = 0;
};

struct Chunk {
  std::vector<std::int64_t> origin;  ///< of its first element
  std::uint64_t address = 0, size = 0;
  std::uint32_t mask = 0;
  Place address_at, size_at, mask_at;  ///< where the index says so
  Covered covered;                     ///< the part of the index that does
};

/// A dataset in chunks of one shape, those at its edges reaching beyond it.
struct Chunks {
  std::vector<std::int64_t> extents;  ///< of a chunk
  std::uint64_t bytes = 0;            ///< of a chunk, unfiltered
  std::uint64_t index = kNowhere;     ///< address; nowhere: nothing was ever written
  std::vector<Filter> filters;
  std::vector<Chunk> chunks;    ///< those that are there
  std::vector<std::byte> fill;  ///< one element; empty: zero
};

/// Of a dataset whose layout message says chunks.
/// Errors  FormatError; UnsupportedError for filters and kinds of index that are not read.
[[nodiscard]] Chunks read_chunks(Bytes file, const ObjectHeader& header, const Message& layout, const Shape& shape,
                                 std::uint64_t width);

/// All values, dense and row-major.
[[nodiscard]] std::vector<std::byte> read_values(Bytes file, const Chunks& chunks, const Shape& shape,
                                                 std::uint64_t width);

/// The part of `dense` that a chunk holds; `before`: the chunk as it was, whose rest beyond the edge stays.
[[nodiscard]] std::vector<std::byte> cut(Bytes dense, const Chunks& chunks, const Chunk& chunk, const Shape& shape,
                                         std::uint64_t width, std::vector<std::byte> before);

}  // namespace shiftnorm::container::hdf5
