#include "decode_pnm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "image_header.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"

namespace shiftnorm::imaging {
namespace {

constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The text part of a file: the header, and the values of the plain formats.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}

  /// The next whole number up to `most`, behind white space and comments.
  std::uint32_t number(std::uint32_t most) {
    skip();
    std::uint64_t value = 0;
    const std::size_t first = at_;
    for (; at_ < text_.size() && is_digit(text_[at_]); ++at_) {
      value = value * 10 + static_cast<std::uint64_t>(text_[at_] - '0');
      if (value > most) throw FormatError(fmt::format("PPM has a number above {}", most));
    }
    if (at_ == text_.size() && at_ == first) truncated(Codec::pnm, "its numbers end early");
    // A comment within a number would be read differently by different programs.
    if (at_ == first || (at_ < text_.size() && !is_space(text_[at_])))
      throw FormatError("PPM has something else where a number is expected");
    return static_cast<std::uint32_t>(value);
  }
  /// The next 0 or 1; nothing needs to be between them.
  bool bit() {
    skip();
    if (at_ == text_.size()) truncated(Codec::pnm, "its pixels end early");
    const char c = text_[at_++];
    if (c != '0' && c != '1') throw FormatError("PPM has something else where 0 or 1 is expected");
    return c == '1';
  }
  /// Behind the one white space that ends the header.
  [[nodiscard]] std::size_t data() const { return std::min(at_ + 1, text_.size()); }

 private:
  void skip() {
    while (at_ < text_.size() && (is_space(text_[at_]) || text_[at_] == '#')) {
      if (text_[at_] == '#')
        while (at_ < text_.size() && text_[at_] != '\n' && text_[at_] != '\r') ++at_;
      else
        ++at_;
    }
  }

  std::string_view text_;
  std::size_t at_ = 2;  ///< behind "P5"
};

/// A number of 0 to `most` as PIL spreads it over 0 to `full`: in double, a half to the even neighbour.
std::vector<std::uint16_t> scaling(std::uint32_t most, std::uint32_t full) {
  std::vector<std::uint16_t> table(most + 1);
  for (std::uint32_t v = 0; v <= most; ++v)
    table[v] = static_cast<std::uint16_t>(std::nearbyint(static_cast<double>(v) / most * full));
  return table;
}

/// 1 is black.
void read_bits(Words& words, Image& image) {
  for (std::uint16_t& v : image.pixels) v = words.bit() ? 0 : 255;
}
void read_bits(std::span<const std::byte> data, Image& image) {
  const auto width = static_cast<std::size_t>(image.width), row = (width + 7) / 8;
  std::uint16_t* to = image.pixels.data();
  for (std::int64_t y = 0; y < image.height; ++y, data = data.subspan(row))
    for (std::size_t x = 0; x < width; ++x)
      *to++ = (std::to_integer<unsigned>(data[x / 8]) >> (7 - x % 8) & 1U) != 0 ? 0 : 255;
}

void read_values(std::span<const std::byte> data, std::uint32_t most, Image& image) {
  const std::size_t bytes = most < 256 ? 1 : 2;
  const std::vector<std::uint16_t> table = scaling(most, image.bits == 8 ? 255 : 65535);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    std::uint32_t value = std::to_integer<std::uint32_t>(data[i * bytes]);
    if (bytes == 2) value = value << 8 | std::to_integer<std::uint32_t>(data[2 * i + 1]);
    if (value > most) throw FormatError(fmt::format("PPM has a value of {}; its largest is {}", value, most));
    image.pixels[i] = table[value];
  }
}

/// What the pixels take at least: as text a bit one byte, other values two but for the last.
std::size_t fewest_bytes(const Image& image, bool plain, bool bits, std::uint32_t most) {
  if (plain) return bits ? image.values() : 2 * image.values() - 1;
  if (bits) return static_cast<std::size_t>((image.width + 7) / 8 * image.height);
  return image.values() * (most < 256 ? 1 : 2);
}

}  // namespace

Image decode_pnm(std::span<const std::byte> file) {
  const std::string_view text = as_text(file);
  const char kind = text[1];  // 1, 4: bits; 2, 5: grey; 3, 6: colours; up to 3 as text
  const bool plain = kind <= '3', bits = kind == '1' || kind == '4', colour = kind == '3' || kind == '6';
  Words words(text);
  Image image{.channels = colour ? 3 : 1};
  image.width = words.number(INT32_MAX);
  image.height = words.number(INT32_MAX);
  check_size(Codec::pnm, image.width, image.height);
  const std::uint32_t most = bits ? 1 : words.number(65535);
  if (most == 0) throw FormatError("PPM header says 0 for the largest value; expected 1 to 65535");
  image.bits = most > 255 && !colour ? 16 : 8;
  // No memory for what cannot be there.
  const std::span<const std::byte> data = file.subspan(words.data());
  if (data.size() < fewest_bytes(image, plain, bits, most)) truncated(Codec::pnm, "its pixels end early");
  image.pixels.resize(image.values());
  if (bits && plain) {
    read_bits(words, image);
  } else if (bits) {
    read_bits(data, image);
  } else if (plain) {
    const std::vector<std::uint16_t> table = scaling(most, image.bits == 8 ? 255 : 65535);
    for (std::uint16_t& v : image.pixels) v = table[words.number(most)];
  } else {
    read_values(data, most, image);
  }
  return image;
}

}  // namespace shiftnorm::imaging
