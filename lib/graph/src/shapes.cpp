#include "shiftnorm/graph/shapes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::graph {
namespace {

const Shape& input_shape(const Graph& graph, const Node& node, std::size_t index) {
  const ValueId id = node.inputs.at(index);
  if (id == kNone) throw FormatError(fmt::format("input {} of {} is absent", index, node.op));
  const auto& shape = graph.value(id).shape;
  if (!shape) throw FormatError(fmt::format("input {} of {} has no shape yet", index, node.op));
  return *shape;
}

std::vector<std::int64_t> spatial_of(const Shape& shape) {
  if (shape.rank() < 3) throw ShapeError(fmt::format("input has shape {}; expected [N, C, spatial...]", shape.text()));
  return {shape.extents().begin() + 2, shape.extents().end()};
}

std::int64_t window_extent(std::int64_t in, const Window& w, std::size_t axis) {
  const std::int64_t reach = (w.kernel[axis] - 1) * w.dilations[axis] + 1;
  const std::int64_t room = in + w.pads_begin[axis] + w.pads_end[axis] - reach;
  if (room < 0) throw ShapeError(fmt::format("a window of {} does not fit into an extent of {}", reach, in));
  if (!w.ceil_mode) return room / w.strides[axis] + 1;
  std::int64_t out = (room + w.strides[axis] - 1) / w.strides[axis] + 1;
  // A last window that would start in the padding at the end is dropped (PyTorch, ONNX 1.12).
  if ((out - 1) * w.strides[axis] >= in + w.pads_begin[axis]) --out;
  return out;
}

Shape windowed(const Shape& x, std::int64_t channels, const Window& w) {
  std::vector<std::int64_t> extents{x[0], channels};
  for (std::size_t axis = 0; axis + 2 < x.rank(); ++axis) extents.push_back(window_extent(x[axis + 2], w, axis));
  return Shape(std::move(extents));
}

Shape infer_same(const Graph& graph, const Node& node) { return input_shape(graph, node, 0); }

Shape infer_conv(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  const Shape& w = input_shape(graph, node, 1);
  if (w.rank() != x.rank() || x.rank() < 3)
    throw ShapeError(fmt::format("input {} with weights {}; expected equal ranks of 3 or more", x.text(), w.text()));
  const std::int64_t group = node.integer("group", 1);
  if (group < 1 || w[0] % group != 0 || w[1] * group != x[1])
    throw ShapeError(fmt::format("input {} with weights {} and group {}; expected {} input channels", x.text(),
                                 w.text(), group, w[1] * group));
  const std::vector<std::int64_t> kernel(w.extents().begin() + 2, w.extents().end());
  return windowed(x, w[0], window_of(node, kernel, spatial_of(x)));
}

Shape infer_pool(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  return windowed(x, x[1], window_of(node, node.integers("kernel_shape", {}), spatial_of(x)));
}

Shape infer_global_pool(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  std::vector<std::int64_t> extents(std::max<std::size_t>(x.rank(), 2), 1);
  extents[0] = x[0];
  extents[1] = x[1];
  return Shape(std::move(extents));
}

Shape infer_batch_norm(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  if (x.rank() < 2) throw ShapeError(fmt::format("input has shape {}; expected [N, C, ...]", x.text()));
  for (std::size_t i = 1; i < 5; ++i) {
    const Shape& v = input_shape(graph, node, i);
    if (v != Shape{x[1]})
      throw ShapeError(fmt::format("'{}' has shape {}; expected [{}], the channels of the input",
                                   graph.value(node.inputs[i]).name, v.text(), x[1]));
  }
  return x;
}

Shape infer_broadcast(const Graph& graph, const Node& node) {
  std::vector<std::int64_t> out = input_shape(graph, node, 0).extents();
  for (std::size_t k = 1; k < node.inputs.size(); ++k) {
    std::vector<std::int64_t> other = input_shape(graph, node, k).extents();
    if (other.size() > out.size()) std::swap(other, out);
    for (std::size_t i = 0; i < other.size(); ++i) {
      std::int64_t& a = out[out.size() - 1 - i];
      const std::int64_t b = other[other.size() - 1 - i];
      if (a != b && a != 1 && b != 1)
        throw ShapeError(fmt::format("{} and {} do not broadcast", Shape(out).text(), Shape(other).text()));
      if (a == 1) a = b;
    }
  }
  return Shape(std::move(out));
}

std::int64_t axis_of(std::int64_t axis, std::size_t rank) {
  const auto n = static_cast<std::int64_t>(rank);
  if (axis < -n || axis > n) throw ShapeError(fmt::format("axis {} of a tensor of rank {}", axis, rank));
  return axis < 0 ? axis + n : axis;
}

Shape infer_flatten(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  const std::int64_t axis = axis_of(node.integer("axis", 1), x.rank());
  if (axis != 1) throw UnsupportedError(fmt::format("Flatten with axis {} mixes images; expected 1", axis));
  return Shape{x[0], x.elements_from(1)};
}

Shape infer_gemm(const Graph& graph, const Node& node) {
  const Shape& a = input_shape(graph, node, 0);
  const Shape& b = input_shape(graph, node, 1);
  if (a.rank() != 2 || b.rank() != 2)
    throw ShapeError(fmt::format("factors {} and {}; expected rank 2", a.text(), b.text()));
  if (node.integer("transA", 0) != 0) throw UnsupportedError("Gemm with transA mixes images");
  const bool transposed = node.integer("transB", 0) != 0;
  if (a[1] != b[transposed ? 1 : 0])
    throw ShapeError(fmt::format("factors {} and {} (transB = {}) do not fit", a.text(), b.text(), transposed));
  const std::int64_t n = b[transposed ? 0 : 1];
  if (node.inputs.size() > 2 && node.inputs[2] != kNone && input_shape(graph, node, 2) != Shape{n})
    throw ShapeError(fmt::format("bias {}; expected [{}]", input_shape(graph, node, 2).text(), n));
  return Shape{a[0], n};
}

Shape infer_concat(const Graph& graph, const Node& node) {
  std::vector<std::int64_t> out = input_shape(graph, node, 0).extents();
  const auto axis = static_cast<std::size_t>(axis_of(node.integer("axis", 1), out.size()));
  if (axis == 0) throw UnsupportedError("Concat along axis 0 mixes images");
  for (std::size_t k = 1; k < node.inputs.size(); ++k) {
    const Shape& x = input_shape(graph, node, k);
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (x.rank() != out.size() || (i != axis && x[i] != out[i]))
        throw ShapeError(fmt::format("{} does not join {} along axis {}", x.text(), Shape(out).text(), axis));
    }
    out[axis] += x[axis];
  }
  return Shape(std::move(out));
}

Shape infer_pad(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  if (node.text("mode", "constant") != "constant")
    throw UnsupportedError(fmt::format("Pad mode '{}'; expected constant", node.text("mode", "")));
  const std::vector<std::int64_t> pads = constant_input(graph, node, 1, {});
  if (pads.size() != 2 * x.rank()) throw ShapeError(fmt::format("{} pads for rank {}", pads.size(), x.rank()));
  std::vector<std::int64_t> out = x.extents();
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (pads[i] < 0 || pads[i + out.size()] < 0) throw UnsupportedError("Pad with negative pads");
    out[i] += pads[i] + pads[i + out.size()];
  }
  if (out[0] != x[0]) throw UnsupportedError("Pad along axis 0 adds images");
  return Shape(std::move(out));
}

Shape infer_slice(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  std::vector<std::int64_t> out;
  for (const SliceAxis& axis : slice_axes(graph, node, x)) out.push_back(axis.count);
  if (out[0] != x[0]) throw UnsupportedError("Slice along axis 0 drops images");
  return Shape(std::move(out));
}

Shape infer_gather(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  const std::int64_t axis = axis_of(node.integer("axis", 0), x.rank());
  if (axis != 1 || x.rank() < 2)
    throw UnsupportedError(fmt::format("Gather along axis {} of {}; expected axis 1", axis, x.text()));
  const std::vector<std::int64_t> indices = constant_input(graph, node, 1, {});
  for (const std::int64_t i : indices)
    if (i < 0 || i >= x[1]) throw ShapeError(fmt::format("Gather index {} of {} channels", i, x[1]));
  std::vector<std::int64_t> out = x.extents();
  out[1] = static_cast<std::int64_t>(indices.size());
  return Shape(std::move(out));
}

/// One factor is a matrix; the other is an activation, whose first axis is that of the images.
Shape infer_mat_mul(const Graph& graph, const Node& node) {
  const Shape& a = input_shape(graph, node, 0);
  const Shape& b = input_shape(graph, node, 1);
  const bool left = a.rank() == 2 && b.rank() > 2;
  if (a.rank() < 2 || b.rank() < 2 || (!left && b.rank() != 2))
    throw UnsupportedError(fmt::format("MatMul of {} and {}; expected one matrix", a.text(), b.text()));
  if (a[a.rank() - 1] != b[b.rank() - 2])
    throw ShapeError(fmt::format("factors {} and {} do not fit", a.text(), b.text()));
  std::vector<std::int64_t> out = left ? b.extents() : a.extents();
  out[out.size() - 2] = a[a.rank() - 2];
  out[out.size() - 1] = b[b.rank() - 1];
  return Shape(std::move(out));
}

constexpr std::array kOperators{
    OpSpec{"Add", 2, 2, infer_broadcast},
    OpSpec{"AveragePool", 1, 1, infer_pool},
    OpSpec{"BatchNormalization", 5, 5, infer_batch_norm},
    OpSpec{"Clip", 1, 3, infer_same},
    OpSpec{"Concat", 1, 1024, infer_concat},
    OpSpec{"Conv", 2, 3, infer_conv},
    OpSpec{"Dropout", 1, 3, infer_same},
    OpSpec{"Flatten", 1, 1, infer_flatten},
    OpSpec{"Gather", 2, 2, infer_gather},
    OpSpec{"Gemm", 2, 3, infer_gemm},
    OpSpec{"GlobalAveragePool", 1, 1, infer_global_pool},
    OpSpec{"HardSigmoid", 1, 1, infer_same},
    OpSpec{"HardSwish", 1, 1, infer_same},
    OpSpec{"Identity", 1, 1, infer_same},
    OpSpec{"MatMul", 2, 2, infer_mat_mul},
    OpSpec{"MaxPool", 1, 1, infer_pool},
    OpSpec{"Mul", 2, 2, infer_broadcast},
    OpSpec{"Pad", 2, 3, infer_pad},
    OpSpec{"Relu", 1, 1, infer_same},
    OpSpec{"Sigmoid", 1, 1, infer_same},
    OpSpec{"Slice", 3, 5, infer_slice},
    OpSpec{"Softmax", 1, 1, infer_same},
};
static_assert(std::is_sorted(kOperators.begin(), kOperators.end(),
                             [](const OpSpec& a, const OpSpec& b) { return a.op < b.op; }),
              "find_operator searches by halves");

void resolve_auto_pad(Window& w, const std::string& mode, std::span<const std::int64_t> spatial) {
  if (mode == "VALID") {
    std::fill(w.pads_begin.begin(), w.pads_begin.end(), 0);
    std::fill(w.pads_end.begin(), w.pads_end.end(), 0);
    return;
  }
  if (mode != "SAME_UPPER" && mode != "SAME_LOWER") throw UnsupportedError(fmt::format("auto_pad '{}'", mode));
  for (std::size_t i = 0; i < spatial.size(); ++i) {
    const std::int64_t out = (spatial[i] + w.strides[i] - 1) / w.strides[i];
    const std::int64_t total =
        std::max<std::int64_t>((out - 1) * w.strides[i] + (w.kernel[i] - 1) * w.dilations[i] + 1 - spatial[i], 0);
    const std::int64_t less = total / 2;
    w.pads_begin[i] = mode == "SAME_UPPER" ? less : total - less;
    w.pads_end[i] = total - w.pads_begin[i];
  }
}

}  // namespace

std::span<const OpSpec> operators() { return kOperators; }

const OpSpec* find_operator(std::string_view op) {
  const auto it = std::lower_bound(kOperators.begin(), kOperators.end(), op,
                                   [](const OpSpec& a, std::string_view b) { return a.op < b; });
  return it != kOperators.end() && it->op == op ? &*it : nullptr;
}

void infer_node(Graph& graph, const Node& node) {
  const OpSpec* spec = find_operator(node.op);
  if (spec == nullptr) throw UnsupportedError(fmt::format("operator {} is not supported", node.op));
  if (node.inputs.size() < spec->min_inputs || node.inputs.size() > spec->max_inputs)
    throw FormatError(fmt::format("{} has {} inputs; expected {} to {}", node.op, node.inputs.size(), spec->min_inputs,
                                  spec->max_inputs));
  graph.value(node.outputs.front()).shape = spec->infer(graph, node);
}

void infer_shapes(Graph& graph) {
  for (const Node& node : graph.nodes()) {
    try {
      infer_node(graph, node);
    } catch (const Error&) {
      rethrow_at(fmt::format("node '{}'", node.name));
    }
  }
}

Window window_of(const Node& node, std::span<const std::int64_t> kernel, std::span<const std::int64_t> spatial) {
  const std::size_t n = spatial.size();
  Window w;
  w.kernel.assign(kernel.begin(), kernel.end());
  w.strides = node.integers("strides", std::vector<std::int64_t>(n, 1));
  w.dilations = node.integers("dilations", std::vector<std::int64_t>(n, 1));
  const std::vector<std::int64_t> pads = node.integers("pads", std::vector<std::int64_t>(2 * n, 0));
  w.ceil_mode = node.integer("ceil_mode", 0) != 0;
  w.count_include_pad = node.integer("count_include_pad", 0) != 0;
  if (w.kernel.size() != n || w.strides.size() != n || w.dilations.size() != n || pads.size() != 2 * n)
    throw ShapeError(
        fmt::format("{} with {} spatial axes has kernel, strides, dilations, pads of {}, {}, {}, {} values", node.op, n,
                    w.kernel.size(), w.strides.size(), w.dilations.size(), pads.size()));
  const auto below_one = [](std::int64_t v) { return v < 1; };
  if (std::any_of(w.kernel.begin(), w.kernel.end(), below_one) ||
      std::any_of(w.strides.begin(), w.strides.end(), below_one) ||
      std::any_of(w.dilations.begin(), w.dilations.end(), below_one) ||
      std::any_of(pads.begin(), pads.end(), [](std::int64_t v) { return v < 0; }))
    throw ShapeError(fmt::format("{} has a kernel, stride or dilation below 1, or a negative pad", node.op));
  w.pads_begin.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(n));
  w.pads_end.assign(pads.begin() + static_cast<std::ptrdiff_t>(n), pads.end());
  const std::string mode = node.text("auto_pad", "NOTSET");
  if (mode != "NOTSET") resolve_auto_pad(w, mode, spatial);
  return w;
}

std::vector<std::int64_t> constant_input(const Graph& graph, const Node& node, std::size_t index,
                                         std::vector<std::int64_t> absent) {
  if (index >= node.inputs.size() || node.inputs[index] == kNone) return absent;
  const Value& value = graph.value(node.inputs[index]);
  if (!value.integers)
    throw UnsupportedError(
        fmt::format("input {} ('{}') of {} is computed at run time; expected a constant", index, value.name, node.op));
  return *value.integers;
}

std::vector<SliceAxis> slice_axes(const Graph& graph, const Node& node, const Shape& input) {
  const std::vector<std::int64_t> starts = constant_input(graph, node, 1, {});
  const std::vector<std::int64_t> ends = constant_input(graph, node, 2, {});
  std::vector<std::int64_t> every(starts.size());
  std::iota(every.begin(), every.end(), 0);
  const std::vector<std::int64_t> axes = constant_input(graph, node, 3, every);
  const std::vector<std::int64_t> steps = constant_input(graph, node, 4, std::vector<std::int64_t>(starts.size(), 1));
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    throw ShapeError("Slice has starts, ends, axes and steps of different lengths");
  std::vector<SliceAxis> out(input.rank());
  for (std::size_t i = 0; i < out.size(); ++i) out[i].count = input[i];
  for (std::size_t k = 0; k < starts.size(); ++k) {
    const auto axis = static_cast<std::size_t>(axis_of(axes[k], input.rank()));
    if (axis >= input.rank()) throw ShapeError(fmt::format("Slice axis {} of rank {}", axes[k], input.rank()));
    if (steps[k] < 1) throw UnsupportedError(fmt::format("Slice with step {}; expected 1 or more", steps[k]));
    const std::int64_t n = input[axis];
    const auto clamped = [n](std::int64_t v) {
      return std::clamp<std::int64_t>(v < 0 ? std::max(v, -n) + n : v, 0, n);
    };
    const std::int64_t from = clamped(starts[k]), to = clamped(ends[k]);
    out[axis] = {from, steps[k], to > from ? (to - from + steps[k] - 1) / steps[k] : 0};
  }
  return out;
}

}  // namespace shiftnorm::graph
