#include "dicom/pixel_chain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "dicom/stored_values.hpp"
#include "image_header.hpp"
#include "resample.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

/// What `f` gives for every value of the frame, `stride` apart. Frames of up to 16 bits have few different values, so
/// that each from the least to the most is worked out once.
template <class Cell, class F, class Out>
void map_by_table(const StoredFrame& frame, F f, Out* out, std::size_t n, std::size_t stride) {
  const std::byte* const bytes = frame.values.data();
  const auto cell = [bytes](std::size_t i) {
    Cell value;
    std::memcpy(&value, bytes + i * sizeof(Cell), sizeof(Cell));
    return value;
  };
  Cell least = cell(0), most = least;
  for (std::size_t i = 0; i < n; ++i) {
    least = std::min(least, cell(i));
    most = std::max(most, cell(i));
  }
  std::vector<Out> table;
  // NOLINTNEXTLINE(bugprone-signed-char-misuse): a stored number of eight bits, not a character.
  for (std::int64_t s = least; s <= most; ++s) table.push_back(f(s));
  const Out* const entries = table.data();
  for (std::size_t i = 0; i < n; ++i) out[i * stride] = entries[static_cast<int>(cell(i)) - static_cast<int>(least)];
}

template <class F, class Out>
void map_values(const StoredFrame& frame, F f, Out* out, std::size_t n, std::size_t stride) {
  const bool is_signed = frame.module.is_signed;
  switch (frame.module.value_bytes()) {
    case 1:
      return is_signed ? map_by_table<std::int8_t>(frame, f, out, n, stride)
                       : map_by_table<std::uint8_t>(frame, f, out, n, stride);
    case 2:
      return is_signed ? map_by_table<std::int16_t>(frame, f, out, n, stride)
                       : map_by_table<std::uint16_t>(frame, f, out, n, stride);
    default: {
      const Stored stored(frame);
      for (std::size_t i = 0; i < n; ++i) out[i * stride] = f(stored[i]);
    }
  }
}

double most_stored(const PixelModule& module) { return std::ldexp(1.0, module.bits_stored) - 1.0; }

using Curve = std::function<double(std::int64_t)>;  ///< stored value to [0, 1]

Curve between(const FrameRules& rules, double low, double high) {
  // A constant image has no range: every value is black then, and finite.
  if (!(high > low)) return [](std::int64_t) { return 0.0; };
  return [&rules, low, high](std::int64_t s) {
    return std::clamp((modality_value(rules, s) - low) / (high - low), 0.0, 1.0);
  };
}

Curve windowed(const FrameRules& rules, const VoiWindow& window) {
  return [&rules, window](std::int64_t s) { return apply_window(window, modality_value(rules, s)); };
}

Curve full_range(const PixelModule& module) {
  // Signed values have their zero in the middle.
  const double zero = module.is_signed ? std::ldexp(1.0, module.bits_stored - 1) : 0.0, most = most_stored(module);
  return [zero, most](std::int64_t s) { return (static_cast<double>(s) + zero) / most; };
}

Curve by_percentiles(const Frame& frame, const Voi& voi) {
  ValueCounts own;
  const bool series = voi.scope == VoiScope::series && frame.series;
  if (!series) own = count_values(frame);
  const ValueCounts& counts = series ? frame.series->counts() : own;
  return between(frame.rules, percentile(counts, voi.low), percentile(counts, voi.high));
}

/// The file's own VOI, item `index` (item 0 if there are fewer); nothing if it has none that can be used.
std::optional<Curve> file_curve(const FrameRules& rules, std::int64_t index) {
  const auto pick = [index](const auto& list) -> const auto& {
    const auto i = static_cast<std::size_t>(index);
    return list[i < list.size() ? i : 0];
  };
  if (!rules.voi_tables.empty()) {
    const LookupTable& table = pick(rules.voi_tables);
    return [&rules, &table](std::int64_t s) { return apply_table(table, modality_value(rules, s)); };
  }
  if (!rules.windows.empty()) return windowed(rules, pick(rules.windows));
  return std::nullopt;
}

std::vector<Curve> curves_of(const Frame& frame, const Voi& voi) {
  const PixelModule& module = frame.stored.module;
  switch (voi.rule) {
    case VoiRule::automatic: break;
    case VoiRule::file:
      if (auto curve = file_curve(frame.rules, voi.index)) return {std::move(*curve)};
      if (module.bits_stored <= 8) return {full_range(module)};
      return {by_percentiles(frame, Voi{})};
    case VoiRule::bits: return {full_range(module)};
    case VoiRule::minmax: {
      Voi whole = voi;
      whole.low = 0;
      whole.high = 100;
      return {by_percentiles(frame, whole)};
    }
    case VoiRule::percentile: return {by_percentiles(frame, voi)};
    case VoiRule::window: {
      std::vector<Curve> curves;
      for (const VoiWindow& window : voi.windows) curves.push_back(windowed(frame.rules, window));
      return curves;
    }
    case VoiRule::none: return {[&rules = frame.rules](std::int64_t s) { return modality_value(rules, s); }};
  }
  throw Error("a VOI rule that was not resolved");
}

std::uint16_t in_8_bits(float y) {
  return static_cast<std::uint16_t>(std::lround(std::clamp(static_cast<double>(y), 0.0, 1.0) * 255.0));
}

Image show_grey(const Frame& frame, const Voi& voi) {
  const PixelModule& module = frame.stored.module;
  const FrameRules& rules = frame.rules;
  const std::vector<Curve> curves = curves_of(frame, voi);
  Image image{.height = module.rows,
              .width = module.columns,
              .channels = static_cast<std::int64_t>(curves.size()),
              .bits = voi.quantize8 || voi.equalize ? 8 : 0};
  const bool raw = voi.rule == VoiRule::none;
  const bool inverted = module.photometric == Photometric::monochrome1 && !raw;
  const std::size_t n = image.values() / curves.size();
  for (std::size_t c = 0; c < curves.size(); ++c) {
    const auto level = [&](std::int64_t s) {
      if (!raw && is_padding(rules, s)) return 0.0F;
      const double y = curves[c](s);
      return static_cast<float>(inverted ? 1.0 - y : y);
    };
    // Straight to 8 bits where that is what is wanted: the picture of reals would be four times as large.
    if (image.bits == 0) {
      image.reals.resize(image.values());
      map_values(frame.stored, level, image.reals.data() + c, n, curves.size());
    } else {
      image.pixels.resize(image.values());
      map_values(
          frame.stored, [&](std::int64_t s) { return in_8_bits(level(s)); }, image.pixels.data() + c, n, curves.size());
    }
  }
  return image;
}

// ---- colour

/// libjpeg's integer arithmetic for BT.601 full range (jdcolor.c): objects that were JPEG give what every reader gives.
std::array<std::uint32_t, 3> rgb_of(std::int64_t y, std::int64_t cb, std::int64_t cr, int bits) {
  constexpr std::int64_t kHalf = 1 << 15, kR = 91881, kGb = 22554, kGr = 46802, kB = 116130;
  const std::int64_t middle = std::int64_t{1} << (bits - 1), most = (std::int64_t{1} << bits) - 1;
  const std::int64_t b = cb - middle, r = cr - middle;
  const auto clip = [most](std::int64_t v) { return static_cast<std::uint32_t>(std::clamp<std::int64_t>(v, 0, most)); };
  return {clip(y + ((kR * r + kHalf) >> 16)), clip(y + ((-kGb * b - kGr * r + kHalf) >> 16)),
          clip(y + ((kB * b + kHalf) >> 16))};
}

Image show_colour(const Frame& frame) {
  const PixelModule& module = frame.stored.module;
  const Colours colours = colours_of(frame);
  Image image{.height = module.rows, .width = module.columns, .channels = 3, .bits = 0};
  image.reals.resize(image.values());
  const double most = std::ldexp(1.0, colours.bits) - 1.0;
  std::ranges::transform(colours.values, image.reals.begin(),
                         [most](std::uint32_t v) { return static_cast<float>(v / most); });
  return image;
}

// ---- 8 bits

void quantize(Image& image) {
  image.bits = 8;
  image.pixels.resize(image.reals.size());
  std::ranges::transform(image.reals, image.pixels.begin(), in_8_bits);
  image.reals.clear();
}

/// OpenCV's equalizeHist, channel by channel; `counts(i)` says whether pixel i takes part.
template <class Counts>
void equalize(Image& image, Counts takes_part) {
  const auto channels = static_cast<std::size_t>(image.channels);
  const std::size_t n = image.pixels.size() / channels;
  for (std::size_t c = 0; c < channels; ++c) {
    std::array<std::int64_t, 256> histogram{};
    std::int64_t total = 0;
    for (std::size_t i = 0; i < n; ++i)
      if (takes_part(i)) {
        ++histogram[image.pixels[i * channels + c]];
        ++total;
      }
    const auto first =
        static_cast<std::size_t>(std::ranges::find_if(histogram, [](auto v) { return v > 0; }) - histogram.begin());
    if (first == histogram.size() || histogram[first] == total) continue;
    const float scale = 255.0f / static_cast<float>(total - histogram[first]);
    std::array<std::uint16_t, 256> table{};
    std::int64_t sum = 0;
    for (std::size_t v = first + 1; v < table.size(); ++v) {
      sum += histogram[v];
      table[v] = static_cast<std::uint16_t>(std::min(255L, std::lrint(static_cast<float>(sum) * scale)));
    }
    for (std::size_t i = 0; i < n; ++i)
      if (takes_part(i)) image.pixels[i * channels + c] = table[image.pixels[i * channels + c]];
  }
}

/// Pixels that are not square by more than 1 % become squares of the smaller side.
Image squared(Image image, double aspect) {
  if (!(aspect > 1.01) && !(aspect < 1.0 / 1.01)) return image;
  const auto scaled = [](std::int64_t side, double factor) {
    return static_cast<std::int64_t>(std::lround(static_cast<double>(side) * factor));
  };
  const bool taller = aspect > 1;
  const double most = 1 << 20;
  if ((taller ? aspect : 1 / aspect) * static_cast<double>(taller ? image.height : image.width) > most)
    throw FormatError("the pixel aspect ratio would make the image too large; expected at most 2^20 pixels a side");
  const std::int64_t height = taller ? scaled(image.height, aspect) : image.height;
  const std::int64_t width = taller ? image.width : scaled(image.width, 1 / aspect);
  if (height < 1 || width < 1 || height > kMaxPixels / width)
    throw FormatError(fmt::format("would be {} x {} with square pixels; expected at most {} pixels in all", height,
                                  width, kMaxPixels));
  return resample(image, height, width, Interpolation::bilinear, true, {0, 0, height, width});
}

struct ModalityRule {
  std::string_view modality;
  VoiRule rule;
};
constexpr std::array kByModality{
    ModalityRule{"CR", VoiRule::file},       ModalityRule{"DX", VoiRule::file},
    ModalityRule{"MG", VoiRule::file},       ModalityRule{"IO", VoiRule::file},
    ModalityRule{"PX", VoiRule::file},       ModalityRule{"XA", VoiRule::file},
    ModalityRule{"RF", VoiRule::file},       ModalityRule{"MR", VoiRule::percentile},
    ModalityRule{"NM", VoiRule::percentile}, ModalityRule{"PT", VoiRule::percentile},
    ModalityRule{"US", VoiRule::bits},       ModalityRule{"XC", VoiRule::bits},
    ModalityRule{"ES", VoiRule::bits},       ModalityRule{"OP", VoiRule::bits},
    ModalityRule{"GM", VoiRule::bits},       ModalityRule{"SC", VoiRule::bits},
    ModalityRule{"OT", VoiRule::bits},
};

}  // namespace

double apply_window(const VoiWindow& window, double m) {
  const double c = window.centre, w = window.width;
  switch (window.function) {
    case VoiFunction::linear:
      if (w == 1) return m > c - 0.5 ? 1.0 : 0.0;
      return std::clamp((m - (c - 0.5)) / (w - 1) + 0.5, 0.0, 1.0);
    case VoiFunction::linear_exact: return std::clamp((m - c) / w + 0.5, 0.0, 1.0);
    case VoiFunction::sigmoid: return 1.0 / (1.0 + std::exp(-4.0 * (m - c) / w));
  }
  throw Error("a window function without a formula");
}

double apply_table(const LookupTable& table, double m) {
  const double last = static_cast<double>(table.entries.size() - 1);
  // Clamped as a double first: a modality value may lie outside every integer type.
  const double at = std::clamp(std::round(m) - static_cast<double>(table.first), 0.0, last);
  return static_cast<double>(table.entries[static_cast<std::size_t>(at)]) / (std::ldexp(1.0, table.bits) - 1.0);
}

ResolvedVoi resolve_voi(const Voi& voi, const std::string& modality) {
  if (voi.rule != VoiRule::automatic) return {voi, true};
  Voi settled = voi;
  if (modality == "CT") {
    settled.rule = VoiRule::window;
    settled.windows = {{40, 400, VoiFunction::linear}};
    return {settled, false};
  }
  const auto found = std::ranges::find(kByModality, modality, &ModalityRule::modality);
  settled.rule = found == kByModality.end() ? VoiRule::file : found->rule;
  return {settled, true};
}

Colours colours_of(const Frame& frame) {
  const PixelModule& module = frame.stored.module;
  const Stored stored(frame.stored);
  const auto n = static_cast<std::size_t>(module.rows * module.columns);
  Colours out;
  out.values.resize(3 * n);
  if (module.photometric == Photometric::palette) {
    for (std::size_t c = 0; c < 3; ++c) {
      const LookupTable& table = frame.rules.palette.at(c);
      const auto last = static_cast<std::int64_t>(table.entries.size()) - 1;
      const int down = table.bits > 8 ? 8 : 0;
      for (std::size_t i = 0; i < n; ++i) {
        const auto at = static_cast<std::size_t>(std::clamp<std::int64_t>(stored[i] - table.first, 0, last));
        out.values[3 * i + c] = static_cast<std::uint32_t>(table.entries[at] >> down) & 0xffU;
      }
    }
    return out;
  }
  out.bits = module.bits_stored;
  const bool ybr = module.photometric == Photometric::ybr_full || module.photometric == Photometric::ybr_full_422;
  for (std::size_t i = 0; i < n; ++i) {
    const std::array<std::int64_t, 3> s{stored[3 * i], stored[3 * i + 1], stored[3 * i + 2]};
    const auto rgb =
        ybr ? rgb_of(s[0], s[1], s[2], out.bits)
            : std::array<std::uint32_t, 3>{static_cast<std::uint32_t>(s[0]), static_cast<std::uint32_t>(s[1]),
                                           static_cast<std::uint32_t>(s[2])};
    std::ranges::copy(rgb, out.values.begin() + static_cast<std::ptrdiff_t>(3 * i));
  }
  return out;
}

Image show(const Frame& frame, const Voi& given) {
  const Voi voi = resolve_voi(given, frame.rules.modality).voi;
  const bool grey = frame.stored.module.grey();
  if ((voi.equalize || voi.quantize8) && voi.rule == VoiRule::none)
    throw ConfigError("voi none with quantize8 or equalize; expected a rule that gives values from 0 to 1");
  Image image = grey ? show_grey(frame, voi) : show_colour(frame);
  if ((voi.equalize || voi.quantize8) && image.bits == 0) quantize(image);
  if (voi.equalize) {
    const Stored stored(frame.stored);
    equalize(image, [&](std::size_t i) { return !grey || !is_padding(frame.rules, stored[i]); });
  }
  return voi.ignore_aspect ? image : squared(std::move(image), frame.rules.aspect);
}

namespace {

Histogram histogram_of(const Frame& frame) {
  const bool whole =
      frame.rules.slope == std::floor(frame.rules.slope) && frame.rules.intercept == std::floor(frame.rules.intercept);
  Histogram histogram = whole ? Histogram(0) : Histogram();
  if (frame.stored.module.value_bytes() <= 2) {
    for (const auto& [value, count] : count_values(frame)) histogram.add(value, count);
    return histogram;
  }
  // So many different values that counting them would take more memory than the frame.
  const Stored stored(frame.stored);
  const auto n = static_cast<std::size_t>(frame.stored.module.frame_values());
  for (std::size_t i = 0; i < n; ++i)
    if (!is_padding(frame.rules, stored[i])) histogram.add(modality_value(frame.rules, stored[i]));
  return histogram;
}

Histogram histogram_of(const Colours& colours) {
  std::vector<std::int64_t> counts(std::size_t{1} << 16);  // what 16 bits hold; palettes give 8
  for (const std::uint32_t value : colours.values) ++counts[std::min<std::size_t>(value, counts.size() - 1)];
  Histogram histogram(0);
  for (std::size_t value = 0; value < counts.size(); ++value) histogram.add(static_cast<double>(value), counts[value]);
  return histogram;
}

}  // namespace

FrameAudit audit(const Frame& frame) {
  const PixelModule& module = frame.stored.module;
  FrameAudit out;
  double sum = 0;
  const auto take = [&](double v, bool first) {
    out.min = first ? v : std::min(out.min, v);
    out.max = first ? v : std::max(out.max, v);
    sum += v;
  };
  if (!module.grey()) {
    const Colours colours = colours_of(frame);
    for (std::size_t i = 0; i < colours.values.size(); ++i) take(colours.values[i], i == 0);
    out.mean = sum / static_cast<double>(colours.values.size());
    out.values = histogram_of(colours);
    return out;
  }
  const Stored stored(frame.stored);
  const auto n = static_cast<std::size_t>(module.frame_values());
  for (std::size_t i = 0; i < n; ++i) take(modality_value(frame.rules, stored[i]), i == 0);
  out.mean = sum / static_cast<double>(n);
  out.values = histogram_of(frame);
  const std::optional<Curve> curve = file_curve(frame.rules, 0);
  out.voi = !curve ? "none"
            : !frame.rules.voi_tables.empty()
                ? "lut"
                : fmt::format("window:{}", kVoiFunctions.name_of(frame.rules.windows[0].function));
  if (!curve) return out;
  for (std::size_t i = 0; i < n; ++i) out.voi_mean += (*curve)(stored[i]);
  out.voi_mean /= static_cast<double>(n);
  if (module.photometric == Photometric::monochrome1) out.voi_mean = 1.0 - out.voi_mean;
  return out;
}

std::string dtype_of(const PixelModule& module) {
  return fmt::format("{}{}{}", module.value_bytes() == 1 ? "" : "<", module.is_signed ? 'i' : 'u',
                     module.value_bytes());
}

}  // namespace shiftnorm::imaging::dicom
