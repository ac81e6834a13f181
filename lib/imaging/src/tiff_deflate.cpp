#include "tiff_deflate.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "shiftnorm/container/inflate.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging {
namespace {

using Bytes = std::span<const std::byte>;

/// RFC 1950, 8.2.
class Adler32 {
 public:
  void add(Bytes bytes) {
    // So many bytes fit before the sums need their remainder.
    constexpr std::size_t kMost = 5552;
    for (; !bytes.empty(); bytes = bytes.subspan(std::min(kMost, bytes.size()))) {
      for (const std::byte b : bytes.first(std::min(kMost, bytes.size()))) {
        a_ += std::to_integer<std::uint32_t>(b);
        b_ += a_;
      }
      a_ %= kPrime;
      b_ %= kPrime;
    }
  }
  /// As a stream ends with it.
  [[nodiscard]] std::array<std::byte, 4> bytes() const {
    return {std::byte(b_ >> 8), std::byte(b_ & 255), std::byte(a_ >> 8), std::byte(a_ & 255)};
  }

 private:
  static constexpr std::uint32_t kPrime = 65521;
  std::uint32_t a_ = 1, b_ = 0;
};

template <class T>
T swapped(T v) {
  auto bytes = std::bit_cast<std::array<std::byte, sizeof(T)>>(v);
  std::ranges::reverse(bytes);
  return std::bit_cast<T>(bytes);
}

/// Each sample less its left neighbour (predictor 2), in the order of bytes of the file.
template <class T>
void differences(Bytes row, const DeflateRows& form, std::byte* to) {
  std::vector<T> values(row.size() / sizeof(T));
  std::memcpy(values.data(), row.data(), values.size() * sizeof(T));
  if (form.predictor == 2)
    for (std::size_t i = values.size(); i-- > form.stride;)
      values[i] = static_cast<T>(values[i] - values[i - form.stride]);
  if (form.swapped)
    for (T& v : values) v = swapped(v);
  std::memcpy(to, values.data(), values.size() * sizeof(T));
}

/// The bytes of floats apart, the highest of all first, each less the byte before it (predictor 3).
void float_differences(Bytes row, const DeflateRows& form, std::byte* to) {
  const std::size_t n = row.size() / form.sample_bytes;
  const bool little = std::endian::native == std::endian::little;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t b = 0; b < form.sample_bytes; ++b)
      to[(little ? form.sample_bytes - 1 - b : b) * n + i] = row[i * form.sample_bytes + b];
  for (std::size_t i = n * form.sample_bytes; i-- > form.stride;)
    to[i] = std::byte(std::to_integer<unsigned>(to[i]) - std::to_integer<unsigned>(to[i - form.stride]));
}

std::array<std::byte, 4> checksum_of(Bytes rows, const DeflateRows& form) {
  Adler32 sum;
  const bool as_they_are = form.predictor == 1 && !(form.swapped && form.sample_bytes > 1);
  if (as_they_are) {
    sum.add(rows);
    return sum.bytes();
  }
  std::vector<std::byte> stored(form.row_bytes);
  for (; rows.size() >= form.row_bytes; rows = rows.subspan(form.row_bytes)) {
    const Bytes row = rows.first(form.row_bytes);
    if (form.predictor == 3)
      float_differences(row, form, stored.data());
    else if (form.sample_bytes == 1)
      differences<std::uint8_t>(row, form, stored.data());
    else if (form.sample_bytes == 2)
      differences<std::uint16_t>(row, form, stored.data());
    else
      differences<std::uint32_t>(row, form, stored.data());
    sum.add(stored);
  }
  return sum.bytes();
}

/// Some writers leave a few bytes behind the stream.
bool ends_with(Bytes stored, const std::array<std::byte, 4>& sum) {
  constexpr std::size_t kTail = 20;
  const Bytes tail = stored.last(std::min(stored.size(), kTail));
  return std::search(tail.begin(), tail.end(), sum.begin(), sum.end()) != tail.end();
}

}  // namespace

bool deflate_checks(Bytes stored, Bytes rows, const DeflateRows& form, std::size_t most) {
  std::vector<std::byte> mirrored;
  if (form.reversed) {
    mirrored.assign(stored.begin(), stored.end());
    for (std::byte& b : mirrored) {
      unsigned v = std::to_integer<unsigned>(b), w = 0;
      for (int i = 0; i < 8; ++i, v >>= 1U) w = w << 1U | (v & 1U);
      b = std::byte(w);
    }
    stored = mirrored;
  }
  constexpr std::size_t kHead = 2, kSum = 4;
  if (stored.size() <= kHead + kSum) return false;
  if (ends_with(stored, checksum_of(rows, form))) return true;
  try {
    const auto all = container::inflate_stream(stored.subspan(kHead), most);
    Adler32 sum;
    if (all) sum.add(*all);
    return all && all->size() >= rows.size() && ends_with(stored, sum.bytes());
  } catch (const FormatError&) {
    return false;
  }
}

}  // namespace shiftnorm::imaging
