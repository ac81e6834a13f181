#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace shiftnorm::container {

/// Walks over little-endian bytes from a file without ever leaving them.
/// Errors  FormatError naming the offset, what was asked for and what is left; the position stays as it was.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes, std::uint64_t at = 0);  ///< starts at offset `at`

  [[nodiscard]] std::uint64_t position() const noexcept { return at_; }
  [[nodiscard]] std::uint64_t left() const noexcept { return bytes_.size() - at_; }

  std::span<const std::byte> take(std::uint64_t count);
  std::string_view take_text(std::uint64_t count);
  std::string_view take_line();  ///< up to the next '\n', which is consumed and not returned
  void skip(std::uint64_t count) { take(count); }

  std::uint8_t u8() { return number<std::uint8_t>(); }
  std::uint16_t u16() { return number<std::uint16_t>(); }
  std::uint32_t u32() { return number<std::uint32_t>(); }
  std::uint64_t u64() { return number<std::uint64_t>(); }

 private:
  template <class T>
  T number() {
    T value = 0;
    const std::span<const std::byte> raw = take(sizeof(T));
    for (std::size_t i = sizeof(T); i-- > 0;)
      value = static_cast<T>((std::uint64_t{value} << 8U) | std::to_integer<std::uint64_t>(raw[i]));
    return value;
  }

  std::span<const std::byte> bytes_;
  std::uint64_t at_;
};

}  // namespace shiftnorm::container
