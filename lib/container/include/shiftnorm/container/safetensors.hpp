#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "shiftnorm/core/array.hpp"

namespace shiftnorm::container {

/// One tensor's place in a safetensors file: the half-open byte range [begin, end) counts from the file's start.
struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::uint64_t begin = 0, end = 0;
};

struct SafetensorsIndex {
  std::vector<SafetensorsEntry> entries;        ///< in the order of their data
  std::map<std::string, std::string> metadata;  ///< `__metadata__`
};

/// Reads and checks the header: lengths, dtypes, products, ranges inside the file, no overlap, no hole.
/// Errors  FormatError; UnsupportedError for a dtype we lack (named with its tensor).
[[nodiscard]] SafetensorsIndex index_safetensors(std::span<const std::byte> file);
/// The array of one entry, copied out of the file.
[[nodiscard]] Array read_entry(std::span<const std::byte> file, const SafetensorsEntry& entry);
/// Every array of a file by name.
[[nodiscard]] std::map<std::string, Array> read_safetensors(std::span<const std::byte> file);
/// Serialises in the order given, header padded to 8 bytes.
/// Errors  Error if a name is given twice or is `__metadata__`.
[[nodiscard]] std::vector<std::byte> write_safetensors(std::span<const std::pair<std::string, Array>> arrays,
                                                       const std::map<std::string, std::string>& metadata = {});

}  // namespace shiftnorm::container
