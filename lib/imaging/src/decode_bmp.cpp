#include "decode_bmp.hpp"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <vector>

#include "bmp_header.hpp"
#include "bmp_runs.hpp"
#include "image_header.hpp"
#include "sample_rows.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging {
namespace {

using Bytes = std::span<const std::byte>;

/// The part of a pixel under a mask, spread over 0 to 255 as PIL does: cut off, not rounded.
class Channel {
 public:
  explicit Channel(std::uint32_t mask)
      : mask_(mask), shift_(std::countr_zero(mask)), most_(mask >> static_cast<unsigned>(std::countr_zero(mask))) {}
  [[nodiscard]] std::uint16_t operator()(std::uint32_t pixel) const {
    const std::uint32_t value = (pixel & mask_) >> static_cast<unsigned>(shift_);
    return static_cast<std::uint16_t>(value * 255 / most_);
  }

 private:
  std::uint32_t mask_;
  int shift_;
  std::uint32_t most_;
};

void copy_masked(Bytes row, const BmpHeader& header, std::uint16_t* to) {
  const std::array<Channel, 3> channels{Channel(header.masks[0]), Channel(header.masks[1]), Channel(header.masks[2])};
  const auto bytes = static_cast<std::size_t>(header.bits / 8);
  for (std::size_t x = 0; x < static_cast<std::size_t>(header.width); ++x) {
    std::uint32_t pixel = 0;
    for (std::size_t i = 0; i < bytes; ++i)
      pixel |= std::to_integer<std::uint32_t>(row[x * bytes + i]) << static_cast<unsigned>(8 * i);
    for (const Channel& channel : channels) *to++ = channel(pixel);
  }
}

void copy_bytes(Bytes row, const BmpHeader& header, std::uint16_t* to) {
  for (std::size_t x = 0; x < static_cast<std::size_t>(header.width); ++x)
    for (std::size_t c = 0; c < 3; ++c) *to++ = std::to_integer<std::uint16_t>(row[3 * x + 2 - c]);
}

void copy_colours(std::span<const std::uint8_t> indices, const BmpHeader& header, std::uint16_t* to) {
  for (const std::uint8_t index : indices) {
    if (index >= header.colours.size())
      throw FormatError(fmt::format("BMP has a pixel of colour {}; its palette has {}", index, header.colours.size()));
    for (std::size_t c = 0; c < (header.grey ? 1 : 3); ++c) *to++ = header.colours[index][c];
  }
}

}  // namespace

Image decode_bmp(Bytes file) {
  const BmpHeader header = read_bmp_header(file);
  Image image{
      .height = header.height, .width = header.width, .channels = header.bits <= 8 && header.grey ? 1 : 3, .bits = 8};
  const auto width = static_cast<std::size_t>(header.width);
  const bool runs = header.compression == BmpCompression::runs8 || header.compression == BmpCompression::runs4;
  std::vector<std::uint8_t> expanded, indices(header.bits <= 8 ? width : 0);
  if (runs) expanded = expand_runs(file, header);
  image.pixels.resize(image.values());
  for (std::int64_t y = 0; y < image.height; ++y) {
    const auto stored = static_cast<std::size_t>(header.from_the_top ? y : image.height - 1 - y);
    std::uint16_t* to = image.pixels.data() + y * image.width * image.channels;
    if (runs) {
      copy_colours(std::span(expanded).subspan(stored * width, width), header, to);
      continue;
    }
    const auto bytes = static_cast<std::size_t>(row_bytes(header));
    const Bytes row = file.subspan(static_cast<std::size_t>(header.data_at) + stored * bytes, bytes);
    if (header.bits <= 8) {
      unpack<std::uint8_t>(row, header.bits, indices);
      copy_colours(indices, header, to);
    } else if (header.bits == 24) {
      copy_bytes(row, header, to);
    } else {
      copy_masked(row, header, to);
    }
  }
  return image;
}

}  // namespace shiftnorm::imaging
