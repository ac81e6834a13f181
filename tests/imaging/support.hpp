#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/core/array.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging::test {

/// The image that make_goldens.py computes too: (7 x^2 + 13 y + 3 x y + 50 c) mod 256; 16 bits: times 257.
[[nodiscard]] Image picture(std::int64_t height, std::int64_t width, std::int64_t channels, int bits = 8);
/// SHA-256 over the pixels as little-endian 16-bit numbers, as in goldens.hpp.
[[nodiscard]] std::string digest(const Image& image);

/// The file of that name in goldens.hpp.
[[nodiscard]] std::vector<std::byte> golden_file(std::string_view name);
[[nodiscard]] std::vector<std::byte> from_hex(std::string_view hex);
/// A BMP of one grey level, for data sets whose pixels do not matter.
[[nodiscard]] std::vector<std::byte> flat_bmp(int height, int width, std::uint8_t level);

/// Writes a file and the folders above it.
void put(const std::filesystem::path& path, const std::vector<std::byte>& bytes);
void put(const std::filesystem::path& path, std::string_view text);

/// uint8 array holding 0, 1, 2 ... modulo 256.
[[nodiscard]] Array counting(const Shape& shape);
/// A zip of stored .npy members, as NumPy's savez writes it.
[[nodiscard]] std::vector<std::byte> npz(const std::vector<std::pair<std::string, Array>>& arrays);

/// The text of the exception of type E that `call` throws; empty if it throws none.
template <class E, class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const E& e) {
    return e.what();
  }
  return {};
}

/// Why decode_image() refuses the file; empty if it does not.
[[nodiscard]] std::string refusal(std::vector<std::byte> file);
/// Overwrites the bytes from `at` on.
void set(std::vector<std::byte>& file, std::size_t at, std::initializer_list<int> values);
/// The label of every sample.
[[nodiscard]] std::vector<std::int32_t> labels(const Dataset& data);

}  // namespace shiftnorm::imaging::test
