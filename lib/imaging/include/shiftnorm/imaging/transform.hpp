#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "shiftnorm/core/array.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

enum class Interpolation { nearest, bilinear, bicubic };

struct Resize {  ///< shorter side to `size` (torchvision), or exactly height x width when both are given
  std::int64_t size = 0, height = 0, width = 0;
  Interpolation interpolation = Interpolation::bilinear;
  bool antialias = true;
};
struct CenterCrop {  ///< torchvision: zero-pads when the image is smaller
  std::int64_t height = 0, width = 0;
};
struct ToFloat {  ///< x / scale; scale absent: 2^bits - 1
  std::optional<double> scale;
};
struct Normalize {  ///< (x - mean) / std per channel, in float32 as torchvision does
  std::vector<double> mean, std;
};
struct Convert {  ///< PIL's convert: channels 1 ("L") or 3 ("RGB")
  std::int64_t channels = 3;
};
using Step = std::variant<Resize, CenterCrop, ToFloat, Normalize, Convert>;

/// An ordered list of steps. Image steps come before ToFloat, Normalize after it. An image whose channel count differs
/// from what the network takes is converted as by Convert before ToFloat.
struct Pipeline {
  std::string name;  ///< preset name, or "custom"
  std::vector<Step> steps;
};

/// The canonical text of a pipeline (every default spelled out): its SHA-256 goes into provenance.
[[nodiscard]] std::string canonical(const Pipeline& pipeline);

/// Everything that is wrong with a pipeline (order, ranges), one line each; empty: it can be applied.
[[nodiscard]] std::vector<std::string> problems(const Pipeline& pipeline);

/// Everything up to ToFloat: geometry and channels, still integers. What a cache keeps. `channels`: what the network
/// takes; 0: as the steps leave it. The pipeline has no problems().
/// Errors  FormatError for an image that would become too large; ShapeError for channels other than 1 and 3.
[[nodiscard]] Image apply_image_steps(const Pipeline& pipeline, Image image, std::int64_t channels);
/// ToFloat and Normalize into `dst`, planar CHW of height * width * channels floats.
/// Errors  ShapeError for a wrong length; ConfigError if Normalize's means are neither 1 nor one for each channel.
void apply_float_steps(const Pipeline& pipeline, const Image& image, std::span<float> dst);

/// A built-in preset: "imagenet", "cifar10". ConfigError listing the presets for an unknown name.
[[nodiscard]] Pipeline preset(const std::string& name);
[[nodiscard]] std::vector<std::string> preset_names();

}  // namespace shiftnorm::imaging
