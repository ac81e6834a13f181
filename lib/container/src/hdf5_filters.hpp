#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hdf5_header.hpp"

namespace shiftnorm::container::hdf5 {

/// One step of what HDF5 does to a chunk before it is stored.
struct Filter {
  unsigned id = 0;
  std::vector<std::uint32_t> settings;
};

/// Of a filter pipeline message, in the order of writing. Errors  FormatError.
[[nodiscard]] std::vector<Filter> read_filters(Bytes message);

/// Whether every filter is one of deflate, shuffle, fletcher32 and h5py's lzf.
/// Errors  UnsupportedError naming the first that is not.
void check_filters(const std::vector<Filter>& filters);

/// A chunk of `size` bytes out of what is stored. mask: bit i says that filter i was left out.
/// Errors  FormatError for damaged data.
[[nodiscard]] std::vector<std::byte> unfiltered(Bytes stored, const std::vector<Filter>& filters, std::uint32_t mask,
                                                std::uint64_t size);

/// What is to be stored for a chunk. Compresses as the file asks; lzf is left out, which `mask` says.
[[nodiscard]] std::vector<std::byte> filtered(std::vector<std::byte> chunk, const std::vector<Filter>& filters,
                                              std::uint32_t& mask);

}  // namespace shiftnorm::container::hdf5
