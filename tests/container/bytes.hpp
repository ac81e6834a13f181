#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"

namespace shiftnorm::test {

/// Bytes put together piece by piece, numbers little-endian.
class ByteWriter {
 public:
  ByteWriter& text(std::string_view t) {
    const auto b = as_bytes(t);
    bytes_.insert(bytes_.end(), b.begin(), b.end());
    return *this;
  }
  ByteWriter& raw(const std::vector<std::byte>& b) {
    bytes_.insert(bytes_.end(), b.begin(), b.end());
    return *this;
  }
  ByteWriter& number(std::uint64_t value, unsigned width) {
    for (unsigned i = 0; i < width; ++i) bytes_.push_back(static_cast<std::byte>(value >> (8U * i)));
    return *this;
  }
  ByteWriter& u8(std::uint64_t v) { return number(v, 1); }
  ByteWriter& u16(std::uint64_t v) { return number(v, 2); }
  ByteWriter& u32(std::uint64_t v) { return number(v, 4); }
  ByteWriter& u64(std::uint64_t v) { return number(v, 8); }
  [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

inline std::vector<std::byte> bytes_of(std::string_view text) { return {as_bytes(text).begin(), as_bytes(text).end()}; }

inline std::vector<std::byte> from_hex(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

/// Runs `read` on the file cut at every length and with every byte changed: it must throw a shiftnorm::Error or
/// return, nothing else. Returns how many of the cut files were accepted.
template <class Read>
std::size_t accepted_when_damaged(const std::vector<std::byte>& file, Read read) {
  std::size_t accepted_cuts = 0;
  const auto survives = [&read](const std::vector<std::byte>& damaged) {
    try {
      read(damaged);
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  for (std::size_t n = 0; n < file.size(); ++n)
    accepted_cuts +=
        survives(std::vector<std::byte>(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(n))) ? 1 : 0;
  for (std::size_t i = 0; i < file.size(); ++i) {
    for (const unsigned flip : {0x01U, 0x80U, 0xffU}) {
      std::vector<std::byte> damaged = file;
      damaged[i] ^= static_cast<std::byte>(flip);
      survives(damaged);
    }
  }
  return accepted_cuts;
}

}  // namespace shiftnorm::test
