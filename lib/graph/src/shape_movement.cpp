#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "shape_rules.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::graph {
namespace {

using Extents = std::vector<std::int64_t>;

/// No activation of a network is longer; sums of two such lengths stay in range.
constexpr std::int64_t kLongest = std::int64_t{1} << 40;

Extents required(const Graph& graph, const Node& node, std::size_t index, std::string_view key) {
  const std::optional<Extents> values = constant_argument(graph, node, index, key);
  if (!values) throw FormatError(fmt::format("{} without '{}'", node.op, key));
  return *values;
}

/// Axes as flags; `rank` counts negative ones from the end.
std::vector<bool> flags(const Extents& axes, std::size_t rank) {
  std::vector<bool> out(rank, false);
  for (const std::int64_t axis : axes) {
    const std::size_t at = axis_of(axis, rank);
    if (out[at]) throw ShapeError(fmt::format("axis {} appears twice", axis));
    out[at] = true;
  }
  return out;
}

}  // namespace

Shapes infer_concat(const Graph& graph, const Node& node) {
  Extents out = input_shape(graph, node, 0).extents();
  const std::size_t axis = axis_of(node.integer("axis", 1), out.size());
  for (std::size_t k = 1; k < node.inputs.size(); ++k) {
    const Shape& x = input_shape(graph, node, k);
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (x.rank() != out.size() || (i != axis && x[i] != out[i]))
        throw ShapeError(fmt::format("{} does not join {} along axis {}", x.text(), Shape(out).text(), axis));
    }
    out[axis] += x[axis];
  }
  return {Shape(std::move(out))};
}

Shapes infer_depth_to_space(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  const std::int64_t b = node.integer("blocksize", 0);
  const std::string mode = node.text("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") throw UnsupportedError(fmt::format("mode '{}'; expected DCR or CRD", mode));
  if (x.rank() != 4 || b < 1 || b > 1 << 20 || x[1] < 1 || x[1] % (b * b) != 0)
    throw ShapeError(fmt::format("{} of {} with blocksize {}", node.op, x.text(), b));
  return {Shape{x[0], x[1] / (b * b), x[2] * b, x[3] * b}};
}

Shapes infer_space_to_depth(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  const std::int64_t b = node.integer("blocksize", 0);
  if (x.rank() != 4 || b < 1 || b > 1 << 20 || x[2] % b != 0 || x[3] % b != 0)
    throw ShapeError(fmt::format("{} of {} with blocksize {}", node.op, x.text(), b));
  return {Shape{x[0], x[1] * b * b, x[2] / b, x[3] / b}};
}

Shapes infer_expand(const Graph& graph, const Node& node) {
  const Shapes both{input_shape(graph, node, 0), Shape(constant_input(graph, node, 1, {}))};
  return {broadcast(both)};
}

Shapes infer_flatten(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  const std::int64_t given = node.integer("axis", 1);
  // One past the last axis is allowed here.
  const std::size_t axis = given == static_cast<std::int64_t>(x.rank()) ? x.rank() : axis_of(given, x.rank());
  const std::int64_t columns = x.elements_from(axis);
  std::int64_t rows = 1;
  for (std::size_t i = 0; i < axis; ++i) rows *= x[i];
  return {Shape{rows, columns}};
}

Shapes infer_gather(const Graph& graph, const Node& node) {
  const Shape &x = input_shape(graph, node, 0), &indices = input_shape(graph, node, 1);
  const std::size_t axis = axis_of(node.integer("axis", 0), x.rank());
  if (const auto& constant = graph.value(node.inputs[1]).integers) {
    for (const std::int64_t i : *constant)
      if (i < -x[axis] || i >= x[axis])
        throw ShapeError(fmt::format("Gather index {} of {} along axis {}", i, x[axis], axis));
  }
  const auto at = static_cast<std::ptrdiff_t>(axis);
  Extents out(x.extents().begin(), x.extents().begin() + at);
  out.insert(out.end(), indices.extents().begin(), indices.extents().end());
  out.insert(out.end(), x.extents().begin() + at + 1, x.extents().end());
  return {Shape(std::move(out))};
}

Shapes infer_gather_elements(const Graph& graph, const Node& node) {
  const Shape &x = input_shape(graph, node, 0), &indices = input_shape(graph, node, 1);
  const std::size_t axis = axis_of(node.integer("axis", 0), x.rank());
  bool fits = indices.rank() == x.rank();
  for (std::size_t i = 0; fits && i < x.rank(); ++i) fits = i == axis || indices[i] <= x[i];
  if (!fits) throw ShapeError(fmt::format("indices {} into {} along axis {}", indices.text(), x.text(), axis));
  return {indices};
}

std::vector<std::int64_t> pads_of(const Graph& graph, const Node& node, const Shape& input) {
  const Extents given = required(graph, node, 1, "pads");
  Extents every(input.rank());
  std::iota(every.begin(), every.end(), 0);
  const Extents axes = constant_input(graph, node, 3, every);
  if (given.size() != 2 * axes.size())
    throw ShapeError(fmt::format("{} pads for {} axes; expected two for each", given.size(), axes.size()));
  Extents pads(2 * input.rank(), 0);
  for (std::size_t k = 0; k < axes.size(); ++k) {
    const std::size_t axis = axis_of(axes[k], input.rank());
    for (const std::int64_t v : {given[k], given[k + axes.size()]})
      if (v > kLongest || v < -kLongest) throw ShapeError(fmt::format("Pad by {}", v));
    pads[axis] = given[k];
    pads[axis + input.rank()] = given[k + axes.size()];
  }
  return pads;
}

Shapes infer_pad(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  const std::string mode = node.text("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap")
    throw UnsupportedError(fmt::format("Pad mode '{}'; expected constant, reflect, edge or wrap", mode));
  const Extents pads = pads_of(graph, node, x);
  Extents out = x.extents();
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] += pads[i] + pads[i + out.size()];
    const bool grows = pads[i] > 0 || pads[i + out.size()] > 0;
    if (out[i] < 0 || (mode != "constant" && grows && x[i] < (mode == "reflect" ? 2 : 1) && out[i] != 0))
      throw ShapeError(
          fmt::format("Pad '{}' by {} and {} of axis {} of {}", mode, pads[i], pads[i + out.size()], i, x.text()));
  }
  return {Shape(std::move(out))};
}

Shapes infer_reshape(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  const Extents target = required(graph, node, 1, "shape");
  const bool zeros_stay = node.integer("allowzero", 0) != 0;
  Extents out = target;
  std::size_t open = out.size();
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i] == 0 && !zeros_stay) {
      if (i >= x.rank()) throw ShapeError(fmt::format("Reshape of {} copies axis {}", x.text(), i));
      out[i] = x[i];
    } else if (out[i] == -1) {
      if (open != out.size()) throw ShapeError("Reshape leaves two axes open");
      open = i;
    }
  }
  if (open != out.size()) {
    out[open] = 1;
    const std::int64_t others = Shape(out).elements();
    if (others == 0 || x.elements() % others != 0)
      throw ShapeError(fmt::format("Reshape of {} to {}", x.text(), Shape(out).text()));
    out[open] = x.elements() / others;
  }
  Shape shape(std::move(out));
  if (shape.elements() != x.elements())
    throw ShapeError(fmt::format("Reshape of {} to {}; expected {} elements", x.text(), shape.text(), x.elements()));
  return {std::move(shape)};
}

std::vector<SliceAxis> slice_axes(const Graph& graph, const Node& node, const Shape& input) {
  const Extents starts = required(graph, node, 1, "starts"), ends = required(graph, node, 2, "ends");
  Extents every(starts.size());
  std::iota(every.begin(), every.end(), 0);
  const Extents axes = constant_argument(graph, node, 3, "axes").value_or(every);
  const Extents steps = constant_input(graph, node, 4, Extents(starts.size(), 1));
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    throw ShapeError("Slice has starts, ends, axes and steps of different lengths");
  std::vector<SliceAxis> out(input.rank());
  for (std::size_t i = 0; i < out.size(); ++i) out[i].count = input[i];
  for (std::size_t k = 0; k < starts.size(); ++k) {
    const std::size_t axis = axis_of(axes[k], input.rank());
    if (steps[k] == 0) throw ShapeError("Slice with step 0");
    const std::int64_t n = input[axis], step = std::clamp(steps[k], -kLongest, kLongest);
    // Backwards an end of -1 means "before the first", which counting from the end cannot say.
    const std::int64_t low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;
    const auto clamped = [&](std::int64_t v) { return std::clamp(v < 0 ? std::max(v, -n - 1) + n : v, low, high); };
    const std::int64_t from = clamped(starts[k]), to = clamped(ends[k]);
    const std::int64_t way = step > 0 ? to - from : from - to, stride = step > 0 ? step : -step;
    out[axis] = {from, step, way > 0 ? (way + stride - 1) / stride : 0};
  }
  return out;
}

Shapes infer_slice(const Graph& graph, const Node& node) {
  Extents out;
  for (const SliceAxis& axis : slice_axes(graph, node, input_shape(graph, node, 0))) out.push_back(axis.count);
  return {Shape(std::move(out))};
}

std::vector<std::int64_t> split_sizes(const Graph& graph, const Node& node, const Shape& input) {
  const std::int64_t n = input[axis_of(node.integer("axis", 0), input.rank())];
  const auto parts = static_cast<std::int64_t>(node.outputs.size());
  Extents sizes;
  if (const std::optional<Extents> given = constant_argument(graph, node, 1, "split")) {
    sizes = *given;
  } else {
    // Equal parts; from opset 18 the last may be smaller.
    const std::int64_t each = (n + parts - 1) / parts;
    sizes.assign(static_cast<std::size_t>(parts), each);
    sizes.back() = n - each * (parts - 1);
  }
  std::int64_t total = 0;
  for (const std::int64_t size : sizes) {
    if (size < 0 || size > n) throw ShapeError(fmt::format("Split of {} with a part of {}", n, size));
    total += size;
  }
  if (static_cast<std::int64_t>(sizes.size()) != parts || total != n)
    throw ShapeError(
        fmt::format("Split of {} into {} parts of {} in all for {} outputs", n, sizes.size(), total, parts));
  return sizes;
}

Shapes infer_split(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  const std::size_t axis = axis_of(node.integer("axis", 0), x.rank());
  Shapes out;
  for (const std::int64_t size : split_sizes(graph, node, x)) {
    Extents extents = x.extents();
    extents[axis] = size;
    out.emplace_back(std::move(extents));
  }
  return out;
}

Shapes infer_squeeze(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  const std::optional<Extents> axes = constant_argument(graph, node, 1, "axes");
  const std::vector<bool> gone = flags(axes.value_or(Extents{}), x.rank());
  Extents out;
  for (std::size_t i = 0; i < x.rank(); ++i) {
    if (gone[i] && x[i] != 1) throw ShapeError(fmt::format("Squeeze of axis {} of {}", i, x.text()));
    if (axes ? !gone[i] : x[i] != 1) out.push_back(x[i]);
  }
  return {Shape(std::move(out))};
}

Shapes infer_unsqueeze(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  const Extents axes = required(graph, node, 1, "axes");
  const std::vector<bool> fresh = flags(axes, x.rank() + axes.size());
  Extents out;
  std::size_t next = 0;
  for (const bool one : fresh) out.push_back(one ? 1 : x[next++]);
  return {Shape(std::move(out))};
}

Shapes infer_tile(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  const Extents repeats = constant_input(graph, node, 1, {});
  if (repeats.size() != x.rank()) throw ShapeError(fmt::format("{} repeats for rank {}", repeats.size(), x.rank()));
  Extents out = x.extents();
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (repeats[i] < 0 || repeats[i] > kLongest || out[i] > kLongest / std::max<std::int64_t>(repeats[i], 1))
      throw ShapeError(fmt::format("Tile of {} by {} along axis {}", x.text(), repeats[i], i));
    out[i] *= repeats[i];
  }
  return {Shape(std::move(out))};
}

std::vector<std::size_t> permutation_of(const Node& node, std::size_t rank) {
  Extents reversed(rank);
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  const Extents perm = node.integers("perm", reversed);
  if (perm.size() != rank) throw ShapeError(fmt::format("perm of {} axes for rank {}", perm.size(), rank));
  (void)flags(perm, rank);
  std::vector<std::size_t> out;
  for (const std::int64_t axis : perm) out.push_back(axis_of(axis, rank));
  return out;
}

Shapes infer_transpose(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  Extents out;
  for (const std::size_t axis : permutation_of(node, x.rank())) out.push_back(x[axis]);
  return {Shape(std::move(out))};
}

}  // namespace shiftnorm::graph
