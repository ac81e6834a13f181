#include "shiftnorm/exec/reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::exec {
namespace {

using graph::Graph;
using graph::Node;
using In = std::span<const TensorView>;

/// Calls f(multi-index) for every element of `extents`, last axis fastest.
template <class F>
void for_each_index(std::span<const std::int64_t> extents, F f) {
  std::int64_t total = 1;
  for (const std::int64_t n : extents) total *= n;
  std::vector<std::int64_t> index(extents.size(), 0);
  for (std::int64_t i = 0; i < total; ++i) {
    f(std::span<const std::int64_t>(index));
    for (std::size_t axis = extents.size(); axis-- > 0;) {
      if (++index[axis] < extents[axis]) break;
      index[axis] = 0;
    }
  }
}

std::int64_t flat(std::span<const std::int64_t> index, const Shape& shape) {
  std::int64_t at = 0;
  for (std::size_t i = 0; i < index.size(); ++i) at = at * shape[i] + index[i];
  return at;
}

std::vector<std::int64_t> spatial(const Shape& shape) { return {shape.extents().begin() + 2, shape.extents().end()}; }

/// Flat offset of the window's cell in the channel plane of `src`, or -1 in the padding.
std::int64_t cell(std::span<const std::int64_t> out, std::span<const std::int64_t> k, const graph::Window& w,
                  const Shape& src) {
  std::int64_t at = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t x = out[i] * w.strides[i] - w.pads_begin[i] + k[i] * w.dilations[i];
    if (x < 0 || x >= src[i + 2]) return -1;
    at = at * src[i + 2] + x;
  }
  return at;
}

void run_conv(const Graph&, const Node& node, In in, const Shape& shape, float* out) {
  const Shape &src = in[0].shape, &weights = in[1].shape;
  const graph::Window w = graph::window_of(node, spatial(weights), spatial(src));
  const std::int64_t groups = node.integer("group", 1), per_group = weights[1], planes = src.elements_from(2),
                     taps = weights.elements_from(2);
  const bool bias = in.size() > 2 && in[2].data != nullptr;
  for (std::int64_t o = 0; o < shape[1]; ++o) {
    const std::int64_t first = o / (shape[1] / groups) * per_group;
    for_each_index(spatial(shape), [&](std::span<const std::int64_t> at) {
      double sum = bias ? static_cast<double>(in[2].data[o]) : 0.0;
      for_each_index(w.kernel, [&](std::span<const std::int64_t> k) {
        const std::int64_t x = cell(at, k, w, src);
        if (x < 0) return;
        const std::int64_t tap = flat(k, Shape(w.kernel));
        for (std::int64_t c = 0; c < per_group; ++c)
          sum += static_cast<double>(in[0].data[(first + c) * planes + x]) *
                 static_cast<double>(in[1].data[(o * per_group + c) * taps + tap]);
      });
      *out++ = static_cast<float>(sum);
    });
  }
}

template <bool maximum>
void run_pool(const Graph&, const Node& node, In in, const Shape& shape, float* out) {
  const Shape& src = in[0].shape;
  const graph::Window w = graph::window_of(node, node.integers("kernel_shape", {}), spatial(src));
  const std::int64_t plane = src.elements_from(2);
  for (std::int64_t c = 0; c < shape[1]; ++c) {
    for_each_index(spatial(shape), [&](std::span<const std::int64_t> at) {
      double best = -std::numeric_limits<double>::infinity(), sum = 0;
      std::int64_t inside = 0, padded = 0;
      for_each_index(w.kernel, [&](std::span<const std::int64_t> k) {
        bool in_padding = true;  // cells beyond the declared padding (ceil_mode) never count
        for (std::size_t i = 0; i < k.size(); ++i)
          in_padding =
              in_padding && at[i] * w.strides[i] + k[i] * w.dilations[i] < src[i + 2] + w.pads_begin[i] + w.pads_end[i];
        padded += in_padding ? 1 : 0;
        const std::int64_t x = cell(at, k, w, src);
        if (x < 0) return;
        const double v = static_cast<double>(in[0].data[c * plane + x]);
        best = std::max(best, v);
        sum += v;
        ++inside;
      });
      *out++ = static_cast<float>(maximum ? best : sum / static_cast<double>(w.count_include_pad ? padded : inside));
    });
  }
}

void run_global_average(const Graph&, const Node&, In in, const Shape& shape, float* out) {
  const std::int64_t plane = in[0].shape.elements_from(2);
  for (std::int64_t c = 0; c < shape[1]; ++c) {
    double sum = 0;
    for (std::int64_t p = 0; p < plane; ++p) sum += static_cast<double>(in[0].data[c * plane + p]);
    out[c] = static_cast<float>(sum / static_cast<double>(plane));
  }
}

void run_batch_norm(const Graph&, const Node& node, In in, const Shape& shape, float* out) {
  const std::int64_t plane = shape.elements_from(2);
  const double epsilon = static_cast<double>(node.number("epsilon", 1e-5f));
  for (std::int64_t c = 0; c < shape[1]; ++c) {
    const double scale = static_cast<double>(in[1].data[c]) / std::sqrt(static_cast<double>(in[4].data[c]) + epsilon);
    for (std::int64_t p = 0; p < plane; ++p)
      out[c * plane + p] = static_cast<float>(
          (static_cast<double>(in[0].data[c * plane + p]) - static_cast<double>(in[3].data[c])) * scale +
          static_cast<double>(in[2].data[c]));
  }
}

template <class F>
void run_unary(In in, const Shape& shape, float* out, F f) {
  for (std::int64_t i = 0; i < shape.elements(); ++i) out[i] = f(in[0].data[i]);
}

void run_copy(const Graph&, const Node&, In in, const Shape& shape, float* out) {
  run_unary(in, shape, out, [](float x) { return x; });
}
void run_relu(const Graph&, const Node&, In in, const Shape& shape, float* out) {
  run_unary(in, shape, out, [](float x) { return std::max(x, 0.0f); });
}
void run_sigmoid(const Graph&, const Node&, In in, const Shape& shape, float* out) {
  run_unary(in, shape, out,
            [](float x) { return static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(x)))); });
}
void run_hard_sigmoid(const Graph&, const Node& node, In in, const Shape& shape, float* out) {
  const float alpha = node.number("alpha", 0.2f), beta = node.number("beta", 0.5f);
  run_unary(in, shape, out, [&](float x) { return std::min(std::max(alpha * x + beta, 0.0f), 1.0f); });
}
void run_hard_swish(const Graph&, const Node&, In in, const Shape& shape, float* out) {
  run_unary(in, shape, out, [](float x) { return x * std::min(std::max(x / 6.0f + 0.5f, 0.0f), 1.0f); });
}
void run_clip(const Graph&, const Node&, In in, const Shape& shape, float* out) {
  const float low = in.size() > 1 && in[1].data != nullptr ? *in[1].data : std::numeric_limits<float>::lowest();
  const float high = in.size() > 2 && in[2].data != nullptr ? *in[2].data : std::numeric_limits<float>::max();
  run_unary(in, shape, out, [&](float x) { return std::min(std::max(x, low), high); });
}

template <class F>
void run_binary(In in, const Shape& shape, float* out, F f) {
  const auto source = [&shape](const TensorView& view, std::span<const std::int64_t> index) {
    std::int64_t at = 0;
    const std::size_t skipped = shape.rank() - view.shape.rank();
    for (std::size_t i = 0; i < view.shape.rank(); ++i)
      at = at * view.shape[i] + (view.shape[i] == 1 ? 0 : index[i + skipped]);
    return view.data[at];
  };
  for_each_index(shape.extents(),
                 [&](std::span<const std::int64_t> index) { *out++ = f(source(in[0], index), source(in[1], index)); });
}
void run_add(const Graph&, const Node&, In in, const Shape& shape, float* out) {
  run_binary(in, shape, out, [](float a, float b) { return a + b; });
}
void run_mul(const Graph&, const Node&, In in, const Shape& shape, float* out) {
  run_binary(in, shape, out, [](float a, float b) { return a * b; });
}

void run_gemm(const Graph&, const Node& node, In in, const Shape& shape, float* out) {
  const bool transposed = node.integer("transB", 0) != 0;
  const double alpha = static_cast<double>(node.number("alpha", 1.0f)),
               beta = static_cast<double>(node.number("beta", 1.0f));
  const std::int64_t n = shape[1], k = in[0].shape[1];
  for (std::int64_t j = 0; j < n; ++j) {
    double sum = 0;
    for (std::int64_t i = 0; i < k; ++i)
      sum += static_cast<double>(in[0].data[i]) * static_cast<double>(in[1].data[transposed ? j * k + i : i * n + j]);
    out[j] = static_cast<float>(
        alpha * sum + (in.size() > 2 && in[2].data != nullptr ? beta * static_cast<double>(in[2].data[j]) : 0.0));
  }
}

void run_mat_mul(const Graph&, const Node&, In in, const Shape& shape, float* out) {
  const Shape &a = in[0].shape, &b = in[1].shape;
  const std::int64_t rows = a[a.rank() - 2], inner = a[a.rank() - 1], columns = b[b.rank() - 1];
  const std::int64_t step_a = a.rank() > 2 ? rows * inner : 0, step_b = b.rank() > 2 ? inner * columns : 0;
  for (std::int64_t m = 0; m < shape.elements() / (rows * columns); ++m) {
    for (std::int64_t i = 0; i < rows * columns; ++i) {
      double sum = 0;
      for (std::int64_t k = 0; k < inner; ++k)
        sum += static_cast<double>(in[0].data[m * step_a + i / columns * inner + k]) *
               static_cast<double>(in[1].data[m * step_b + k * columns + i % columns]);
      *out++ = static_cast<float>(sum);
    }
  }
}

void run_gather(const Graph& graph, const Node& node, In in, const Shape& shape, float* out) {
  const std::int64_t plane = shape.elements_from(2);
  for (const std::int64_t channel : graph::constant_input(graph, node, 1, {}))
    out = std::copy_n(in[0].data + channel * plane, plane, out);
}

void run_concat(const Graph&, const Node& node, In in, const Shape& shape, float* out) {
  const std::int64_t given = node.integer("axis", 1);
  const auto axis = static_cast<std::size_t>(given < 0 ? given + static_cast<std::int64_t>(shape.rank()) : given);
  std::int64_t outer = 1;
  for (std::size_t i = 0; i < axis; ++i) outer *= shape[i];
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const TensorView& view : in) {
      const std::int64_t run = view.shape.elements_from(axis);
      out = std::copy_n(view.data + o * run, run, out);
    }
  }
}

void run_pad(const Graph& graph, const Node& node, In in, const Shape& shape, float* out) {
  const std::vector<std::int64_t> pads = graph::constant_input(graph, node, 1, {});
  const float fill = in.size() > 2 && in[2].data != nullptr ? *in[2].data : 0.0f;
  const Shape& src = in[0].shape;
  for_each_index(shape.extents(), [&](std::span<const std::int64_t> index) {
    std::int64_t at = 0;
    for (std::size_t i = 0; i < index.size() && at >= 0; ++i) {
      const std::int64_t x = index[i] - pads[i];
      at = x < 0 || x >= src[i] ? -1 : at * src[i] + x;
    }
    *out++ = at < 0 ? fill : in[0].data[at];
  });
}

void run_slice(const Graph& graph, const Node& node, In in, const Shape& shape, float* out) {
  const Shape& src = in[0].shape;
  const std::vector<graph::SliceAxis> axes = graph::slice_axes(graph, node, src);
  for_each_index(shape.extents(), [&](std::span<const std::int64_t> index) {
    std::int64_t at = 0;
    for (std::size_t i = 0; i < index.size(); ++i) at = at * src[i] + axes[i].start + index[i] * axes[i].step;
    *out++ = in[0].data[at];
  });
}

void run_softmax(const Graph&, const Node& node, In in, const Shape& shape, float* out) {
  const std::int64_t given = node.integer("axis", -1);
  const auto axis = static_cast<std::size_t>(given < 0 ? given + static_cast<std::int64_t>(shape.rank()) : given);
  const std::int64_t n = shape[axis], inner = shape.elements_from(axis + 1), outer = shape.elements() / (n * inner);
  for (std::int64_t o = 0; o < outer * inner; ++o) {
    const std::int64_t base = o / inner * n * inner + o % inner;
    float largest = -std::numeric_limits<float>::infinity();
    for (std::int64_t i = 0; i < n; ++i) largest = std::max(largest, in[0].data[base + i * inner]);
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(in[0].data[base + i * inner] - largest));
    for (std::int64_t i = 0; i < n; ++i)
      out[base + i * inner] =
          static_cast<float>(std::exp(static_cast<double>(in[0].data[base + i * inner] - largest)) / sum);
  }
}

constexpr std::array kReference{
    ReferenceOp{"Add", run_add},
    ReferenceOp{"AveragePool", run_pool<false>},
    ReferenceOp{"BatchNormalization", run_batch_norm},
    ReferenceOp{"Clip", run_clip},
    ReferenceOp{"Concat", run_concat},
    ReferenceOp{"Conv", run_conv},
    ReferenceOp{"Dropout", run_copy},
    ReferenceOp{"Flatten", run_copy},
    ReferenceOp{"Gather", run_gather},
    ReferenceOp{"Gemm", run_gemm},
    ReferenceOp{"GlobalAveragePool", run_global_average},
    ReferenceOp{"HardSigmoid", run_hard_sigmoid},
    ReferenceOp{"HardSwish", run_hard_swish},
    ReferenceOp{"Identity", run_copy},
    ReferenceOp{"MatMul", run_mat_mul},
    ReferenceOp{"MaxPool", run_pool<true>},
    ReferenceOp{"Mul", run_mul},
    ReferenceOp{"Pad", run_pad},
    ReferenceOp{"Relu", run_relu},
    ReferenceOp{"Sigmoid", run_sigmoid},
    ReferenceOp{"Slice", run_slice},
    ReferenceOp{"Softmax", run_softmax},
};
static_assert(std::is_sorted(kReference.begin(), kReference.end(),
                             [](const ReferenceOp& a, const ReferenceOp& b) { return a.op < b.op; }),
              "reference_operator searches by halves");

}  // namespace

std::span<const ReferenceOp> reference_operators() { return kReference; }

const ReferenceOp& reference_operator(std::string_view op) {
  const auto it = std::lower_bound(kReference.begin(), kReference.end(), op,
                                   [](const ReferenceOp& a, std::string_view b) { return a.op < b; });
  if (it == kReference.end() || it->op != op) throw UnsupportedError(fmt::format("operator {} has no kernel", op));
  return *it;
}

std::vector<float> run_reference(const graph::Graph& graph, std::span<const float> image) {
  std::map<graph::ValueId, std::vector<float>> values;
  values[graph.input()].assign(image.begin(), image.end());
  for (const Node& node : graph.nodes()) {
    std::vector<TensorView> in;
    for (const graph::ValueId id : node.inputs) {
      TensorView view;
      if (id != graph::kNone) {
        const graph::Value& value = graph.value(id);
        view.shape = *value.shape;
        view.data = value.parameter ? (value.tensor ? value.tensor->values.data() : nullptr) : values.at(id).data();
      }
      in.push_back(view);
    }
    const Shape& shape = *graph.value(node.outputs.front()).shape;
    std::vector<float>& out = values[node.outputs.front()];
    out.resize(static_cast<std::size_t>(shape.elements()));
    reference_operator(node.op).run(graph, node, in, shape, out.data());
  }
  return values.at(graph.outputs().front());
}

}  // namespace shiftnorm::exec
