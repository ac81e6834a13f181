#include "shiftnorm/imaging/shift.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/core/utils/logger.hpp>

#include "canvas.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging {
namespace {

constexpr std::int64_t kSmallSide = 96;

using Apply = Canvas (*)(const Canvas&, const ShiftContext&);

struct Row {
  ShiftSpec spec;
  Apply apply;
};
constexpr std::array kRows{
    Row{{"gaussian_noise", ShiftKind::noise, "Gaussian noise, as from a sensor in the dark"}, gaussian_noise},
    Row{{"shot_noise", ShiftKind::noise, "Poisson noise of few photons"}, shot_noise},
    Row{{"impulse_noise", ShiftKind::noise, "single values black or white"}, impulse_noise},
    Row{{"defocus_blur", ShiftKind::blur, "a disk, as from a lens out of focus"}, defocus_blur},
    Row{{"glass_blur", ShiftKind::blur, "neighbouring pixels exchanged, as behind frosted glass"}, glass_blur},
    Row{{"motion_blur", ShiftKind::blur, "a streak in one direction"}, motion_blur},
    Row{{"zoom_blur", ShiftKind::blur, "the mean of the image and its enlargements"}, zoom_blur},
    Row{{"snow", ShiftKind::weather, "whitened, with falling streaks"}, snow},
    Row{{"frost", ShiftKind::weather, "ice crystals laid over the image"}, frost},
    Row{{"fog", ShiftKind::weather, "clouds by the diamond-square algorithm"}, fog},
    Row{{"brightness", ShiftKind::weather, "the value of HSV raised"}, brightness},
    Row{{"contrast", ShiftKind::digital, "drawn towards the mean of each channel"}, contrast},
    Row{{"elastic_transform", ShiftKind::digital, "sheared and stretched locally"}, elastic_transform},
    Row{{"pixelate", ShiftKind::digital, "fewer, larger pixels"}, pixelate},
    Row{{"jpeg_compression", ShiftKind::digital, "stored as a strongly compressed JPEG"}, jpeg_compression},
    Row{{"gamma", ShiftKind::acquisition, "another grey curve: x to the power of 1.2 to 2.8"}, gamma},
    Row{{"gain_offset", ShiftKind::acquisition, "another gain and a veil: 0.9 x + 0.05 to 0.5 x + 0.35"}, gain_offset},
    Row{{"bit_depth", ShiftKind::acquisition, "6 to 2 bits"}, bit_depth},
    Row{{"monochrome_inversion", ShiftKind::acquisition, "black for white (MONOCHROME1 read as 2), any severity"},
        monochrome_inversion},
    Row{{"quantum_noise", ShiftKind::acquisition, "less dose: 400 to 25 photons at white, detector blur of 0.6"},
        quantum_noise},
    Row{{"scatter_haze", ShiftKind::acquisition, "15 to 75 % of the light scattered over a sixth of the field"},
        scatter_haze},
    Row{{"resampling", ShiftKind::acquisition, "80 to 30 % of the resolution"}, resampling},
};
constexpr auto kShifts = [] {
  std::array<ShiftSpec, kRows.size()> specs{};
  for (std::size_t i = 0; i < specs.size(); ++i) specs[i] = kRows[i].spec;
  return specs;
}();

const Row& row_of(const Shift& shift) {
  std::vector<std::string> names;
  for (const Row& row : kRows) {
    if (row.spec.name == shift.name) return row;
    names.emplace_back(row.spec.name);
  }
  const std::string near = nearest(shift.name, names);
  throw ConfigError(fmt::format("shift '{}' is unknown; expected one of {}{}", printable(shift.name),
                                join(names, names.size()), near.empty() ? "" : fmt::format("; nearest: {}", near)));
}

Canvas to_canvas(const Image& image) {
  Canvas canvas(static_cast<int>(image.height), static_cast<int>(image.width),
                CV_MAKETYPE(CV_32F, static_cast<int>(image.channels)));
  const auto scale = static_cast<float>((1U << static_cast<unsigned>(image.bits)) - 1);
  std::ranges::transform(image.pixels, canvas.ptr<float>(),
                         [scale](std::uint16_t v) { return static_cast<float>(v) / scale; });
  return canvas;
}

void from_canvas(const Canvas& canvas, Image& image) {
  const auto scale = static_cast<float>((1U << static_cast<unsigned>(image.bits)) - 1);
  auto pixel = image.pixels.begin();
  for (int y = 0; y < canvas.rows; ++y) {
    const auto* const row = canvas.ptr<float>(y);
    for (int i = 0; i < canvas.cols * canvas.channels(); ++i)
      *pixel++ = static_cast<std::uint16_t>(std::lround(std::clamp(row[i], 0.0f, 1.0f) * scale));
  }
}

/// OpenCV's log and thread pool are process-wide: switched off once, before its first use here.
void quiet_opencv() {
  static const bool done = [] {
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    cv::setNumThreads(1);
    return true;
  }();
  static_cast<void>(done);
}

/// 64 bits of a hash of what names the draw: an image has its own noise, whatever was drawn before.
std::uint64_t stream_of(const Shift& shift, std::string_view key) {
  const std::string hex = sha256_hex(fmt::format("{} {} {}", shift.name, shift.severity, key));
  return std::stoull(hex.substr(0, 16), nullptr, 16);
}

}  // namespace

std::span<const ShiftSpec> shift_table() { return kShifts; }

void check_shift(const Shift& shift) {
  (void)row_of(shift);
  if (shift.severity < 1 || shift.severity > 5)
    throw ConfigError(fmt::format("shift {} has severity {}; expected 1 to 5", shift.name, shift.severity));
}

Image apply_shift(const Shift& shift, const Image& image, std::uint64_t seed, std::string_view key) {
  check_shift(shift);
  if (image.bits == 0)
    throw ConfigError(fmt::format("shift {}: the image holds real numbers; expected 8 or 16 bits", shift.name));
  quiet_opencv();
  Random random(seed, stream_of(shift, key));
  const ShiftContext context{shift.severity, std::min(image.height, image.width) < kSmallSide, random};
  Image out = image;
  from_canvas(row_of(shift).apply(to_canvas(image), context), out);
  return out;
}

}  // namespace shiftnorm::imaging
