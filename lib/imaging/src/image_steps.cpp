#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "float_steps.hpp"
#include "image_header.hpp"
#include "resample.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/imaging/transform.hpp"

namespace shiftnorm::imaging {
namespace {

struct Size {
  std::int64_t height, width;
};

/// torchvision: the shorter side becomes `size`, the longer one int(size * long / short).
Size resized(const Resize& step, const Image& image) {
  if (step.size == 0) return {step.height, step.width};
  const bool upright = image.width <= image.height;
  const std::int64_t shorter = upright ? image.width : image.height, longer = upright ? image.height : image.width;
  const double exact = static_cast<double>(step.size) * static_cast<double>(longer) / static_cast<double>(shorter);
  const auto scaled = static_cast<std::int64_t>(exact);
  return upright ? Size{scaled, step.size} : Size{step.size, scaled};
}

/// Python's int(round(difference / 2.0)): halves go to the even number.
std::int64_t half(std::int64_t difference) {
  const std::int64_t down = difference / 2;
  return difference % 2 != 0 && down % 2 != 0 ? down + 1 : down;
}

Window center(Size image, const CenterCrop& crop) {
  return {half(image.height - crop.height), half(image.width - crop.width), crop.height, crop.width};
}

/// torchvision pads the smaller axes with zeros, the odd line below and to the right, then crops.
Image center_cropped(const Image& image, const CenterCrop& crop) {
  const std::int64_t above = std::max<std::int64_t>(crop.height - image.height, 0) / 2;
  const std::int64_t before = std::max<std::int64_t>(crop.width - image.width, 0) / 2;
  const Size padded{std::max(image.height, crop.height), std::max(image.width, crop.width)};
  const Window window = center(padded, crop);
  Image out{
      .height = crop.height,
      .width = crop.width,
      .channels = image.channels,
      .bits = image.bits,
      .pixels = std::vector<std::uint16_t>(static_cast<std::size_t>(crop.height * crop.width * image.channels), 0)};
  const std::int64_t n = std::min(image.width, crop.width) * image.channels;
  for (std::int64_t y = 0; y < std::min(image.height, crop.height); ++y)
    std::copy_n(image.pixels.begin() + ((y + window.top) * image.width + window.left) * image.channels, n,
                out.pixels.begin() + ((y + above) * crop.width + before) * image.channels);
  return out;
}

Image resize(const Image& image, const Resize& step, const CenterCrop* crop) {
  const Size size = resized(step, image);
  if (size.height < 1 || size.width < 1 || size.height > kMaxPixels / size.width)
    throw FormatError(fmt::format("is {} x {}; resizing would give {} x {}, expected at most {} pixels in all",
                                  image.height, image.width, size.height, size.width, kMaxPixels));
  // With a crop to follow, only what it keeps is computed.
  const bool inside = crop != nullptr && crop->height <= size.height && crop->width <= size.width;
  const Window window = inside ? center(size, *crop) : Window{0, 0, size.height, size.width};
  Image out = resample(image, size.height, size.width, step.interpolation, step.antialias, window);
  return crop != nullptr && !inside ? center_cropped(out, *crop) : out;
}

/// ITU-R 601-2 luma in PIL's integers (L24), or grey copied to three channels.
Image converted(const Image& image, std::int64_t channels) {
  if (image.channels == channels) return image;
  Image out{.height = image.height, .width = image.width, .channels = channels, .bits = image.bits, .pixels = {}};
  const auto n = static_cast<std::size_t>(image.height * image.width);
  out.pixels.resize(n * static_cast<std::size_t>(channels));
  const std::uint16_t* src = image.pixels.data();
  if (channels == 3) {
    for (std::size_t i = 0; i < n; ++i) std::fill_n(out.pixels.begin() + static_cast<std::ptrdiff_t>(3 * i), 3, src[i]);
  } else {
    // 65535 * (19595 + 38470 + 7471) + 0x8000 still fits 32 bits unsigned.
    for (std::size_t i = 0; i < n; ++i, src += 3)
      out.pixels[i] = static_cast<std::uint16_t>((src[0] * 19595u + src[1] * 38470u + src[2] * 7471u + 0x8000u) >> 16);
  }
  return out;
}

}  // namespace

Image apply_image_steps(const Pipeline& pipeline, Image image, std::int64_t channels) {
  const std::vector<Step>& steps = pipeline.steps;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (const auto* step = std::get_if<Resize>(&steps[i])) {
      const auto* crop = i + 1 < steps.size() ? std::get_if<CenterCrop>(&steps[i + 1]) : nullptr;
      image = resize(image, *step, crop);
      if (crop != nullptr) ++i;
    } else if (const auto* crop = std::get_if<CenterCrop>(&steps[i])) {
      image = center_cropped(image, *crop);
    } else if (const auto* convert = std::get_if<Convert>(&steps[i])) {
      image = converted(image, convert->channels);
    }
  }
  if (channels == 0 || channels == image.channels) return image;
  if (channels != 1 && channels != 3)
    throw ShapeError(fmt::format("images have {} channels; the network takes {}", image.channels, channels));
  return converted(image, channels);
}

void apply_float_steps(const Pipeline& pipeline, const Image& image, std::span<float> dst) {
  float_steps(pipeline, Pixels<std::uint16_t>{image.pixels, image.channels, image.bits}, dst);
}

}  // namespace shiftnorm::imaging
