#include <fmt/format.h>

#include <algorithm>

#include "shape_rules.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::graph {
namespace {

using Extents = std::vector<std::int64_t>;

Extents spatial_of(const Shape& shape) {
  if (shape.rank() < 3) throw ShapeError(fmt::format("input has shape {}; expected [N, C, spatial...]", shape.text()));
  return {shape.extents().begin() + 2, shape.extents().end()};
}

std::int64_t reach_of(const Window& w, std::size_t axis) { return (w.kernel[axis] - 1) * w.dilations[axis] + 1; }

std::int64_t window_extent(std::int64_t in, const Window& w, std::size_t axis) {
  const std::int64_t reach = reach_of(w, axis);
  const std::int64_t room = in + w.pads_begin[axis] + w.pads_end[axis] - reach;
  if (room < 0) throw ShapeError(fmt::format("a window of {} does not fit into an extent of {}", reach, in));
  if (!w.ceil_mode) return room / w.strides[axis] + 1;
  std::int64_t out = (room + w.strides[axis] - 1) / w.strides[axis] + 1;
  // A last window that would start in the padding at the end is dropped (PyTorch, ONNX 1.12).
  if ((out - 1) * w.strides[axis] >= in + w.pads_begin[axis]) --out;
  return out;
}

Shape windowed(const Shape& x, std::int64_t channels, const Window& w) {
  Extents extents{x[0], channels};
  for (std::size_t axis = 0; axis + 2 < x.rank(); ++axis) extents.push_back(window_extent(x[axis + 2], w, axis));
  return Shape(std::move(extents));
}

/// Cells of padding in all, shared out between the two ends.
void share_padding(Window& w, std::size_t axis, std::int64_t total, bool more_at_the_end) {
  const std::int64_t less = total / 2;
  w.pads_begin[axis] = more_at_the_end ? less : total - less;
  w.pads_end[axis] = total - w.pads_begin[axis];
}

void resolve_auto_pad(Window& w, const std::string& mode, std::span<const std::int64_t> spatial) {
  if (mode == "VALID") {
    std::fill(w.pads_begin.begin(), w.pads_begin.end(), 0);
    std::fill(w.pads_end.begin(), w.pads_end.end(), 0);
    return;
  }
  for (std::size_t i = 0; i < spatial.size(); ++i) {
    const std::int64_t out = (spatial[i] + w.strides[i] - 1) / w.strides[i];
    const std::int64_t total = std::max<std::int64_t>((out - 1) * w.strides[i] + reach_of(w, i) - spatial[i], 0);
    share_padding(w, i, total, mode == "SAME_UPPER");
  }
}

std::string auto_pad_of(const Node& node) {
  std::string mode = node.text("auto_pad", "NOTSET");
  if (mode != "NOTSET" && mode != "VALID" && mode != "SAME_UPPER" && mode != "SAME_LOWER")
    throw UnsupportedError(fmt::format("auto_pad '{}'; expected NOTSET, VALID, SAME_UPPER or SAME_LOWER", mode));
  return mode;
}

/// The attributes as given, auto_pad not yet resolved.
Window stated_window(const Node& node, std::span<const std::int64_t> kernel, std::size_t n) {
  // A product of two of them, or of one and an extent of an activation, must stay far from overflow.
  constexpr std::int64_t kMost = std::int64_t{1} << 24;
  Window w;
  w.kernel.assign(kernel.begin(), kernel.end());
  w.strides = node.integers("strides", Extents(n, 1));
  w.dilations = node.integers("dilations", Extents(n, 1));
  const Extents pads = node.integers("pads", Extents(2 * n, 0));
  w.ceil_mode = node.integer("ceil_mode", 0) != 0;
  w.count_include_pad = node.integer("count_include_pad", 0) != 0;
  if (w.kernel.size() != n || w.strides.size() != n || w.dilations.size() != n || pads.size() != 2 * n)
    throw ShapeError(
        fmt::format("{} with {} spatial axes has kernel, strides, dilations, pads of {}, {}, {}, {} values", node.op, n,
                    w.kernel.size(), w.strides.size(), w.dilations.size(), pads.size()));
  const auto wrong = [](std::int64_t v) { return v < 1 || v > kMost; };
  if (std::any_of(w.kernel.begin(), w.kernel.end(), wrong) || std::any_of(w.strides.begin(), w.strides.end(), wrong) ||
      std::any_of(w.dilations.begin(), w.dilations.end(), wrong) ||
      std::any_of(pads.begin(), pads.end(), [](std::int64_t v) { return v < 0 || v > kMost; }))
    throw ShapeError(
        fmt::format("{} has a kernel, stride, dilation or pad that is negative, zero or beyond {}", node.op, kMost));
  w.pads_begin.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(n));
  w.pads_end.assign(pads.begin() + static_cast<std::ptrdiff_t>(n), pads.end());
  return w;
}

void check_bias(const Graph& graph, const Node& node, std::int64_t channels) {
  if (has_input(node, 2) && input_shape(graph, node, 2) != Shape{channels})
    throw ShapeError(fmt::format("bias {}; expected [{}]", input_shape(graph, node, 2).text(), channels));
}

}  // namespace

Window window_of(const Node& node, std::span<const std::int64_t> kernel, std::span<const std::int64_t> spatial) {
  Window w = stated_window(node, kernel, spatial.size());
  const std::string mode = auto_pad_of(node);
  if (mode != "NOTSET") resolve_auto_pad(w, mode, spatial);
  return w;
}

Window transposed_window_of(const Node& node, std::span<const std::int64_t> kernel,
                            std::span<const std::int64_t> spatial, std::vector<std::int64_t>& out) {
  const std::size_t n = spatial.size();
  Window w = stated_window(node, kernel, n);
  const std::string mode = auto_pad_of(node);
  const Extents extra = node.integers("output_padding", Extents(n, 0));
  Extents wanted = node.integers("output_shape", {});
  // Some writers state the whole shape there.
  if (wanted.size() == n + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);
  if (extra.size() != n || (!wanted.empty() && wanted.size() != n))
    throw ShapeError(fmt::format("ConvTranspose with {} spatial axes has output_padding of {} and output_shape of {}",
                                 n, extra.size(), wanted.size()));
  if (mode == "VALID") resolve_auto_pad(w, mode, spatial);
  out.assign(n, 0);
  for (std::size_t i = 0; i < n; ++i) {
    if (extra[i] < 0 || extra[i] > w.strides[i] + w.dilations[i])
      throw ShapeError(fmt::format("output_padding {} with a stride of {}", extra[i], w.strides[i]));
    const std::int64_t full = w.strides[i] * (spatial[i] - 1) + extra[i] + reach_of(w, i);
    if (!wanted.empty() || mode == "SAME_UPPER" || mode == "SAME_LOWER") {
      out[i] = wanted.empty() ? spatial[i] * w.strides[i] : wanted[i];
      // More than the windows reach is filled with the bias at the end.
      share_padding(w, i, std::max<std::int64_t>(full - out[i], 0), mode == "SAME_UPPER");
    } else {
      out[i] = full - w.pads_begin[i] - w.pads_end[i];
    }
    if (out[i] < 1) throw ShapeError(fmt::format("ConvTranspose gives an extent of {} from {}", out[i], spatial[i]));
    // Such that the convolution from `out` back gives `spatial`.
    w.pads_end[i] = w.strides[i] * (spatial[i] - 1) + reach_of(w, i) - out[i] - w.pads_begin[i];
  }
  return w;
}

Shapes infer_conv(const Graph& graph, const Node& node) {
  const Shape &x = input_shape(graph, node, 0), &w = input_shape(graph, node, 1);
  if (w.rank() != x.rank() || x.rank() < 3)
    throw ShapeError(fmt::format("input {} with weights {}; expected equal ranks of 3 or more", x.text(), w.text()));
  const std::int64_t group = node.integer("group", 1);
  if (group < 1 || w[0] % group != 0 || x[1] % group != 0 || w[1] != x[1] / group)
    throw ShapeError(fmt::format("input {} with weights {} and group {}; expected {} input channels", x.text(),
                                 w.text(), group, group < 1 ? w[1] : w[1] * std::min(group, w[0])));
  check_bias(graph, node, w[0]);
  const Extents kernel(w.extents().begin() + 2, w.extents().end());
  return {windowed(x, w[0], window_of(node, kernel, spatial_of(x)))};
}

Shapes infer_conv_transpose(const Graph& graph, const Node& node) {
  const Shape &x = input_shape(graph, node, 0), &w = input_shape(graph, node, 1);
  if (w.rank() != x.rank() || x.rank() < 3)
    throw ShapeError(fmt::format("input {} with weights {}; expected equal ranks of 3 or more", x.text(), w.text()));
  const std::int64_t group = node.integer("group", 1);
  if (group < 1 || w[0] != x[1] || x[1] % group != 0)
    throw ShapeError(
        fmt::format("input {} with weights {} and group {}; expected {} input channels, a multiple of the group",
                    x.text(), w.text(), group, w[0]));
  const Extents kernel(w.extents().begin() + 2, w.extents().end());
  Extents spatial;
  (void)transposed_window_of(node, kernel, spatial_of(x), spatial);
  Extents extents{x[0], w[1] * group};
  check_bias(graph, node, extents[1]);
  extents.insert(extents.end(), spatial.begin(), spatial.end());
  return {Shape(std::move(extents))};
}

Shapes infer_pool(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  return Shapes(node.outputs.size(),
                windowed(x, x[1], window_of(node, node.integers("kernel_shape", {}), spatial_of(x))));
}

Shapes infer_global_pool(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  if (x.rank() < 2) throw ShapeError(fmt::format("input has shape {}; expected [N, C, spatial...]", x.text()));
  Extents extents(x.rank(), 1);
  extents[0] = x[0];
  extents[1] = x[1];
  return {Shape(std::move(extents))};
}

}  // namespace shiftnorm::graph
