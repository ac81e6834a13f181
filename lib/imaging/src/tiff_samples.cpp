#include "tiff_samples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "sample_rows.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging {
namespace {

/// A whole number as a real one. Floats hold every whole number up to 2^24.
float exactly(std::int64_t value) {
  constexpr std::int64_t kMost = std::int64_t{1} << 24;
  if (std::abs(value) > kMost)
    throw UnsupportedError(fmt::format("TIFF holds the integer {}; supported are those up to {}", value, kMost));
  return static_cast<float>(value);
}

std::uint16_t divided(std::uint32_t colour, std::uint32_t alpha) {
  return static_cast<std::uint16_t>(alpha == 0 ? 0 : std::min<std::uint32_t>(255, colour * 255 / alpha));
}

/// Three colours out of four samples of 8 bits; the fourth is black ink, or the alpha.
void drop_fourth(Image& image, std::uint16_t (*colour)(std::uint32_t, std::uint32_t)) {
  const auto pixels = static_cast<std::size_t>(image.height * image.width);
  const int shift = image.bits - 8;  // PIL takes the high byte
  std::vector<std::uint16_t> to(3 * pixels);
  for (std::size_t i = 0; i < pixels; ++i) {
    const std::uint16_t* from = image.pixels.data() + 4 * i;
    for (std::size_t c = 0; c < 3; ++c)
      to[3 * i + c] =
          colour(static_cast<std::uint32_t>(from[c] >> shift), static_cast<std::uint32_t>(from[3] >> shift));
  }
  image.pixels = std::move(to);
  image.bits = 8;
}

void look_up(Image& image, std::span<const std::uint8_t> colours) {
  const std::size_t n = colours.size() / 3;
  std::vector<std::uint16_t> to;
  to.reserve(3 * image.pixels.size());
  for (const std::uint16_t index : image.pixels)
    for (std::size_t c = 0; c < 3; ++c) to.push_back(colours[c * n + index]);
  image.pixels = std::move(to);
}

void spread_grey(Image& image, int bits, bool white_is_zero) {
  const int most = image.bits == 8 ? 255 : 65535;
  const int factor = bits < 8 ? 255 / ((1 << bits) - 1) : 1;
  for (std::uint16_t& v : image.pixels) {
    const int level = v * factor;
    v = static_cast<std::uint16_t>(white_is_zero ? most - level : level);
  }
}

void check_finite(std::span<const float> values) {
  const auto odd = std::ranges::find_if(values, [](float v) { return !std::isfinite(v); });
  if (odd != values.end())
    throw FormatError(fmt::format("TIFF value {} is {}; expected finite numbers", odd - values.begin(), *odd));
}

}  // namespace

TiffSamples::TiffSamples(const TiffDirectory& directory)
    : directory_(directory), kept_(colour_samples(directory.colour) + (directory.premultiplied ? 1 : 0)) {
  const bool reals = directory.number != TiffNumber::whole || directory.bits == 32;
  image_ = {
      .height = directory.height, .width = directory.width, .channels = kept_, .bits = directory.bits <= 8 ? 8 : 16};
  if (reals) image_.bits = 0;
  if (reals)
    image_.reals.resize(image_.values());
  else
    image_.pixels.resize(image_.values());
}

void TiffSamples::take_row(std::span<const std::byte> row, std::int64_t y, std::int64_t x, std::int64_t n,
                           std::int64_t plane) {
  const bool apart = directory_.planes_apart;
  const Move how{.pixels = static_cast<std::size_t>(n),
                 .from_stride = static_cast<std::size_t>(apart ? 1 : directory_.samples),
                 .kept = static_cast<std::size_t>(apart ? 1 : kept_),
                 .to_stride = static_cast<std::size_t>(kept_)};
  const std::size_t bytes = (how.pixels * how.from_stride * static_cast<std::size_t>(directory_.bits) + 7) / 8;
  if (row.size() < bytes) throw FormatError(fmt::format("TIFF rows have {} bytes; expected {}", row.size(), bytes));
  const auto at = static_cast<std::size_t>((y * image_.width + x) * kept_ + (apart ? plane : 0));
  const std::byte* from = row.data();
  const bool is_signed = directory_.number == TiffNumber::whole_signed;
  if (image_.bits == 0) {
    float* to = image_.reals.data() + at;
    if (directory_.number == TiffNumber::real) return move_row<float>(from, how, to);
    if (directory_.bits == 16) return move_row<std::int16_t>(from, how, to, exactly);
    return is_signed ? move_row<std::int32_t>(from, how, to, exactly) : move_row<std::uint32_t>(from, how, to, exactly);
  }
  std::uint16_t* to = image_.pixels.data() + at;
  if (directory_.bits == 16) return move_row<std::uint16_t>(from, how, to);
  if (directory_.bits == 8) return move_row<std::uint8_t>(from, how, to);
  unpack(row, directory_.bits, std::span(to, how.pixels));
}

Image TiffSamples::image() && {
  if (image_.bits == 0) {
    check_finite(image_.reals);
  } else {
    switch (directory_.colour) {
      case TiffColour::grey: spread_grey(image_, directory_.bits, directory_.white_is_zero); break;
      case TiffColour::palette: look_up(image_, directory_.colours); break;
      case TiffColour::cmyk: drop_fourth(image_, light_of); break;
      case TiffColour::rgb:
        if (directory_.premultiplied) drop_fourth(image_, divided);
        break;
      case TiffColour::ycbcr: break;
    }
  }
  image_.channels = directory_.colour == TiffColour::grey ? 1 : 3;
  return std::move(image_);
}

}  // namespace shiftnorm::imaging
