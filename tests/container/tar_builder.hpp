#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "container/bytes.hpp"

namespace shiftnorm::test {

/// A tar archive by POSIX's description of its headers, with the lies that a test asks for.
class TarBuilder {
 public:
  TarBuilder& add(const std::string& name, const std::vector<std::byte>& content,
                  std::optional<std::uint64_t> claimed_size = std::nullopt, char type = '0') {
    std::string header(512, '\0');
    const auto put = [&header](std::size_t at, std::string_view text) {
      std::copy(text.begin(), text.end(), header.begin() + static_cast<std::ptrdiff_t>(at));
    };
    put(0, name);
    put(100, "0000644");
    put(124, octal(claimed_size.value_or(content.size()), 12));
    put(148, "        ");
    header[156] = type;
    put(257, "ustar  ");
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    put(148, octal(sum, 7));
    out_.text(header).raw(content);
    if (content.size() % 512 != 0) out_.text(std::string(512 - content.size() % 512, '\0'));
    return *this;
  }
  [[nodiscard]] std::vector<std::byte> finish() const {
    return ByteWriter().raw(out_.bytes()).text(std::string(1024, '\0')).bytes();
  }

 private:
  /// Digits and a NUL in `width` bytes.
  static std::string octal(std::uint64_t value, std::size_t width) {
    std::string text(width, '\0');
    for (std::size_t i = width - 1; i-- > 0; value /= 8) text[i] = static_cast<char>('0' + value % 8);
    return text;
  }

  ByteWriter out_;
};

}  // namespace shiftnorm::test
