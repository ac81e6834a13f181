#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "dicom/pixel_chain.hpp"
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
  Image out{.height = crop.height, .width = crop.width, .channels = image.channels, .bits = image.bits};
  const auto copy_rows = [&](const auto& from, auto& to) {
    to.assign(out.values(), 0);
    const std::int64_t n = std::min(image.width, crop.width) * image.channels;
    for (std::int64_t y = 0; y < std::min(image.height, crop.height); ++y)
      std::copy_n(from.begin() + ((y + window.top) * image.width + window.left) * image.channels, n,
                  to.begin() + ((y + above) * crop.width + before) * image.channels);
  };
  if (image.bits == 0)
    copy_rows(image.reals, out.reals);
  else
    copy_rows(image.pixels, out.pixels);
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

/// ITU-R 601-2 luma, or grey copied to three channels. `luma`: three values to one.
template <class T, class Luma>
std::vector<T> converted(const std::vector<T>& src, std::int64_t channels, Luma luma) {
  std::vector<T> out;
  if (channels == 3) {
    out.reserve(3 * src.size());
    for (const T value : src) out.insert(out.end(), 3, value);
  } else {
    out.reserve(src.size() / 3);
    for (std::size_t i = 0; i < src.size(); i += 3) out.push_back(luma(src[i], src[i + 1], src[i + 2]));
  }
  return out;
}

Image converted(Image image, std::int64_t channels) {
  if (image.channels == channels) return image;
  image.channels = channels;
  if (image.bits == 0) {
    image.reals = converted(image.reals, channels, [](float r, float g, float b) {
      return static_cast<float>(0.299 * r + 0.587 * g + 0.114 * b);
    });
    return image;
  }
  // PIL's integers (L24); 65535 * (19595 + 38470 + 7471) + 0x8000 still fits 32 bits unsigned.
  image.pixels = converted(image.pixels, channels, [](std::uint32_t r, std::uint32_t g, std::uint32_t b) {
    return static_cast<std::uint16_t>((r * 19595u + g * 38470u + b * 7471u + 0x8000u) >> 16);
  });
  return image;
}

/// The pixel chain of a DICOM frame. A scale meant for 8-bit files would leave its values next to black.
Image shown(const Pipeline& pipeline, const dicom::Frame& frame) {
  const Voi voi = voi_of(pipeline);
  Image image = dicom::show(frame, voi);
  if (image.bits != 0 || voi.rule == VoiRule::none) return image;
  for (const Step& step : pipeline.steps)
    if (const auto* to_float = std::get_if<ToFloat>(&step); to_float != nullptr && to_float->scale.value_or(1.0) != 1.0)
      throw ConfigError(fmt::format(
          "to_float scale = {}, and the values of DICOM images lie in [0, 1]; expected no scale, or voi with quantize8",
          *to_float->scale));
  return image;
}

/// Nothing says which value is white in a file of real numbers. Those in [0, 1] are ready, others need a scale.
void check_range(const Pipeline& pipeline, const Image& image) {
  const auto unscaled = [](const Step& step) {
    const auto* to_float = std::get_if<ToFloat>(&step);
    return to_float != nullptr && !to_float->scale;
  };
  if (image.reals.empty() || std::ranges::none_of(pipeline.steps, unscaled)) return;
  const auto [low, high] = std::ranges::minmax(image.reals);
  if (low < 0 || high > 1)
    throw ConfigError(fmt::format(
        "preprocess: an image holds real numbers from {} to {}, and to_float without a scale takes those in "
        "[0, 1]; expected to_float with a scale",
        low, high));
}

}  // namespace

Image apply_image_steps(const Pipeline& pipeline, Image image, std::int64_t channels) {
  const std::vector<Step>& steps = pipeline.steps;
  if (image.frame)
    image = shown(pipeline, *image.frame);
  else if (image.bits == 0)
    check_range(pipeline, image);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (const auto* step = std::get_if<Resize>(&steps[i])) {
      const auto* crop = i + 1 < steps.size() ? std::get_if<CenterCrop>(&steps[i + 1]) : nullptr;
      image = resize(image, *step, crop);
      if (crop != nullptr) ++i;
    } else if (const auto* crop = std::get_if<CenterCrop>(&steps[i])) {
      image = center_cropped(image, *crop);
    } else if (const auto* convert = std::get_if<Convert>(&steps[i])) {
      image = converted(std::move(image), convert->channels);
    }
  }
  if (channels == 0 || channels == image.channels) return image;
  if (channels != 1 && channels != 3)
    throw ShapeError(fmt::format("images have {} channels; the network takes {}", image.channels, channels));
  return converted(std::move(image), channels);
}

void apply_float_steps(const Pipeline& pipeline, const Image& image, std::span<float> dst) {
  if (image.bits == 0) return float_steps(pipeline, Pixels<float>{image.reals, image.channels, 0}, dst);
  float_steps(pipeline, Pixels<std::uint16_t>{image.pixels, image.channels, image.bits}, dst);
}

}  // namespace shiftnorm::imaging
