#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "shape_rules.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::graph {
namespace {

using Extents = std::vector<std::int64_t>;

constexpr double kLongestAxis = 1099511627776.0;  // 2^40: no axis of an activation is longer

std::int64_t extent_of(double v, const ResizeAxis& axis) {
  if (!(v >= 0) || v > kLongestAxis) throw ShapeError(fmt::format("Resize of an extent of {} to {}", axis.in, v));
  return static_cast<std::int64_t>(v);
}

void take_sizes(const Node& node, const std::vector<float>& sizes, std::span<const std::size_t> axes,
                std::vector<ResizeAxis>& out) {
  const std::string policy = node.text("keep_aspect_ratio_policy", "stretch");
  if (policy != "stretch" && policy != "not_larger" && policy != "not_smaller")
    throw UnsupportedError(fmt::format("keep_aspect_ratio_policy '{}'", policy));
  double common = 0;
  for (std::size_t k = 0; k < axes.size(); ++k) {
    ResizeAxis& axis = out[axes[k]];
    axis.out = extent_of(static_cast<double>(sizes[k]), axis);
    axis.scale = axis.in > 0 ? static_cast<double>(axis.out) / static_cast<double>(axis.in) : 1.0;
    common = k == 0 ? axis.scale : policy == "not_larger" ? std::min(common, axis.scale) : std::max(common, axis.scale);
  }
  if (policy == "stretch") return;
  for (const std::size_t a : axes) {
    out[a].scale = common;
    out[a].out = extent_of(std::floor(common * static_cast<double>(out[a].in) + 0.5), out[a]);
  }
}

}  // namespace

std::vector<ResizeAxis> resize_axes(const Graph& graph, const Node& node, const Shape& input) {
  std::vector<ResizeAxis> out(input.rank());
  for (std::size_t i = 0; i < out.size(); ++i) out[i].in = out[i].out = input[i];
  Extents every(input.rank());
  std::iota(every.begin(), every.end(), 0);
  std::vector<std::size_t> axes;
  for (const std::int64_t axis : node.integers("axes", every)) axes.push_back(axis_of(axis, input.rank()));
  const bool crops = node.text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize";
  if (crops) {
    const std::vector<float> roi = constant_floats(graph, node, 1);
    if (roi.size() != 2 * axes.size())
      throw ShapeError(fmt::format("roi of {} values for {} axes", roi.size(), axes.size()));
    for (std::size_t k = 0; k < axes.size(); ++k) {
      out[axes[k]].roi_begin = static_cast<double>(roi[k]);
      out[axes[k]].roi_end = static_cast<double>(roi[k + axes.size()]);
    }
  }
  const std::vector<float> scales = constant_floats(graph, node, 2), sizes = constant_floats(graph, node, 3);
  if (scales.empty() == sizes.empty()) throw FormatError("Resize with both or neither of scales and sizes");
  if ((scales.empty() ? sizes : scales).size() != axes.size())
    throw ShapeError(
        fmt::format("Resize of {} axes has {} scales and {} sizes", axes.size(), scales.size(), sizes.size()));
  if (scales.empty()) {
    take_sizes(node, sizes, axes, out);
    return out;
  }
  for (std::size_t k = 0; k < axes.size(); ++k) {
    ResizeAxis& axis = out[axes[k]];
    axis.scale = static_cast<double>(scales[k]);
    if (!(axis.scale > 0)) throw ShapeError(fmt::format("Resize by {}", axis.scale));
    const double part = crops ? axis.roi_end - axis.roi_begin : 1.0;
    // In float32, as the scale itself is: 10 * 0.6f is 6 there, but 6.0000002 or 5.9999998 of others in double.
    axis.out = extent_of(std::floor(static_cast<double>(static_cast<float>(axis.in) * static_cast<float>(part) *
                                                        static_cast<float>(axis.scale))),
                         axis);
  }
  return out;
}

Shapes infer_resize(const Graph& graph, const Node& node) {
  constexpr std::array<std::string_view, 3> kModes{"cubic", "linear", "nearest"};
  const std::string mode = node.text("mode", "nearest");
  if (std::find(kModes.begin(), kModes.end(), mode) == kModes.end())
    throw UnsupportedError(fmt::format("Resize mode '{}'; expected nearest, linear or cubic", mode));
  Extents out;
  for (const ResizeAxis& axis : resize_axes(graph, node, input_shape(graph, node, 0))) {
    if (axis.in < 1 && axis.out > 0) throw ShapeError("Resize of an empty axis");
    out.push_back(axis.out);
  }
  return {Shape(std::move(out))};
}

}  // namespace shiftnorm::graph
