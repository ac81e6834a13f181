#include "hdf5_checksum.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace shiftnorm::container::hdf5 {

std::uint32_t lookup3(Bytes bytes) {
  std::uint32_t a = 0xdeadbeefU + static_cast<std::uint32_t>(bytes.size()), b = a, c = a;
  const auto add_piece = [&](Bytes piece) {
    std::array<std::uint32_t, 3> words{};
    for (std::size_t i = 0; i < piece.size(); ++i)
      words[i / 4] |= std::to_integer<std::uint32_t>(piece[i]) << (8U * (i % 4));
    a += words[0];
    b += words[1];
    c += words[2];
  };
  while (bytes.size() > 12) {
    add_piece(bytes.first(12));
    bytes = bytes.subspan(12);
    a -= c, a ^= std::rotl(c, 4), c += b;
    b -= a, b ^= std::rotl(a, 6), a += c;
    c -= b, c ^= std::rotl(b, 8), b += a;
    a -= c, a ^= std::rotl(c, 16), c += b;
    b -= a, b ^= std::rotl(a, 19), a += c;
    c -= b, c ^= std::rotl(b, 4), b += a;
  }
  if (bytes.empty()) return c;
  add_piece(bytes);
  c ^= b, c -= std::rotl(b, 14);
  a ^= c, a -= std::rotl(c, 11);
  b ^= a, b -= std::rotl(a, 25);
  c ^= b, c -= std::rotl(b, 16);
  a ^= c, a -= std::rotl(c, 4);
  b ^= a, b -= std::rotl(a, 14);
  c ^= b, c -= std::rotl(b, 24);
  return c;
}

std::uint32_t fletcher32(Bytes bytes) {
  std::uint64_t low = 0, high = 0;
  const auto add = [&](std::uint64_t word) {
    low = (low + word) % 65535U;
    high = (high + low) % 65535U;
  };
  bool any = false;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    const std::uint64_t first = std::to_integer<std::uint64_t>(bytes[i]),
                        second = i + 1 < bytes.size() ? std::to_integer<std::uint64_t>(bytes[i + 1]) : 0;
    any = any || first != 0 || second != 0;
    add(first << 8U | second);
  }
  // The library folds carries in, by which a sum that is a multiple of 65535 stays 65535 once anything was added.
  if (any && low == 0) low = 65535U;
  if (any && high == 0) high = 65535U;
  return static_cast<std::uint32_t>(high << 16U | low);
}

void put_number(std::vector<std::byte>& file, std::uint64_t at, std::uint64_t value, unsigned width) {
  for (unsigned i = 0; i < width; ++i) file.at(at + i) = static_cast<std::byte>(value >> (8U * i));
}

void put_checksum(std::vector<std::byte>& file, std::uint64_t begin, std::uint64_t end) {
  put_number(file, end, lookup3(Bytes(file).subspan(begin, end - begin)), 4);
}

}  // namespace shiftnorm::container::hdf5
