#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "shiftnorm/core/array.hpp"
#include "shiftnorm/core/names.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

enum class Interpolation { nearest, bilinear, bicubic };
inline constexpr auto kInterpolations = names<Named<Interpolation>>(
    "interpolation",
    {{"nearest", Interpolation::nearest}, {"bilinear", Interpolation::bilinear}, {"bicubic", Interpolation::bicubic}});

struct Resize {  ///< shorter side to `size` (torchvision), or exactly height x width when both are given
  std::int64_t size = 0, height = 0, width = 0;
  Interpolation interpolation = Interpolation::bilinear;
  bool antialias = true;
};
struct CenterCrop {  ///< torchvision: zero-pads when the image is smaller
  std::int64_t height = 0, width = 0;
};
struct ToFloat {  ///< x / scale; scale absent: 2^bits - 1, or 1 for the real numbers of a DICOM frame
  std::optional<double> scale;
};
struct Normalize {  ///< (x - mean) / std per channel, in float32 as torchvision does
  std::vector<double> mean, std;
};
struct Convert {  ///< PIL's convert: channels 1 ("L") or 3 ("RGB")
  std::int64_t channels = 3;
};

enum class VoiRule { automatic, file, bits, minmax, percentile, window, none };
struct VoiRuleFacts {
  std::string_view name;
  VoiRule value;
  bool with_values = false;  ///< is given numbers: in YAML a key of its own
};
inline constexpr auto kVoiRules = names<VoiRuleFacts>("VOI rule", {{"file", VoiRule::file},
                                                                   {"bits", VoiRule::bits},
                                                                   {"minmax", VoiRule::minmax},
                                                                   {"none", VoiRule::none},
                                                                   {"automatic", VoiRule::automatic},
                                                                   {"window", VoiRule::window, true},
                                                                   {"percentile", VoiRule::percentile, true}});

/// By DICOM's defined terms (PS3.3 C.11.2.1.3).
enum class VoiFunction : std::uint8_t { linear, linear_exact, sigmoid };
inline constexpr auto kVoiFunctions = names<Named<VoiFunction>>(
    "VOI LUT function",
    {{"LINEAR", VoiFunction::linear}, {"LINEAR_EXACT", VoiFunction::linear_exact}, {"SIGMOID", VoiFunction::sigmoid}});

enum class VoiScope { image, series };
inline constexpr auto kVoiScopes =
    names<Named<VoiScope>>("scope", {{"image", VoiScope::image}, {"series", VoiScope::series}});

/// A window in modality units (HU for CT). Source  PS3.3 C.11.2.1.2 and C.11.2.1.3.
struct VoiWindow {
  double centre = 0, width = 0;
  VoiFunction function = VoiFunction::linear;
  friend bool operator==(const VoiWindow&, const VoiWindow&) = default;
};

/// How the stored values of a DICOM object become the network's picture, in [0, 1] (docs/guide.md); images of other
/// files pass unchanged. At most one, the first step; without one: `automatic`, which goes by the modality.
struct Voi {
  VoiRule rule = VoiRule::automatic;
  double low = 0.5, high = 99.5;     ///< percentile: percent of the values that are not padding
  VoiScope scope = VoiScope::image;  ///< minmax, percentile: of one image, or of its whole series
  std::vector<VoiWindow> windows{};  ///< window: one, or three for three channels
  std::int64_t index = 0;            ///< file: which of the windows or tables of the file
  bool equalize = false;             ///< histogram equalisation in 8 bits
  bool quantize8 = false;            ///< round to 8 bits, as data sets of PNG files have them
  bool ignore_aspect = false;        ///< false: pixels that are not square are resampled to squares
};

using Step = std::variant<Resize, CenterCrop, ToFloat, Normalize, Convert, Voi>;

/// An ordered list of steps. Voi comes first, image steps before ToFloat, Normalize after it. An image whose channel
/// count differs from what the network takes is converted as by Convert before ToFloat.
struct Pipeline {
  std::string name;  ///< preset name, or "custom"
  std::vector<Step> steps;
};

/// The canonical text of a pipeline (every default spelled out): its SHA-256 goes into provenance.
[[nodiscard]] std::string canonical(const Pipeline& pipeline);

/// Everything that is wrong with a pipeline (order, ranges), one line each; empty: it can be applied.
[[nodiscard]] std::vector<std::string> problems(const Pipeline& pipeline);

/// Everything up to ToFloat: the pixel chain of DICOM, geometry and channels. What a cache keeps. `channels`: what the
/// network takes; 0: as the steps leave it. The pipeline has no problems(). Errors  FormatError for an image that would
/// become too large; ShapeError for channels other than 1 and 3.
[[nodiscard]] Image apply_image_steps(const Pipeline& pipeline, Image image, std::int64_t channels);
/// ToFloat and Normalize into `dst`, planar CHW of height * width * channels floats.
/// Errors  ShapeError for a wrong length; ConfigError if Normalize's means are neither 1 nor one for each channel.
void apply_float_steps(const Pipeline& pipeline, const Image& image, std::span<float> dst);

/// The Voi step of a pipeline, or the default.
[[nodiscard]] Voi voi_of(const Pipeline& pipeline);

/// A built-in preset, such as "imagenet" or "cxr-chexnet". ConfigError listing the presets for an unknown name.
[[nodiscard]] Pipeline preset(const std::string& name);
[[nodiscard]] std::vector<std::string> preset_names();

}  // namespace shiftnorm::imaging
