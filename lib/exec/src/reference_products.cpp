#include <array>

#include "loops.hpp"

namespace shiftnorm::exec {
namespace {

/// The part of a convolution that one cell of the kernel takes: rows of cells of the result and of what it reads.
class TapRows {
 public:
  /// result, source: spatial extents. A cell of the result at o reads o * stride - pad + k * dilation.
  TapRows(std::span<const std::int64_t> result, std::span<const std::int64_t> source, const graph::Window& w)
      : result_(result), source_(source), window_(w), low_(result.size()), high_(result.size()), at_(result.size()) {}

  /// f(offset into a plane of the result, offset into a plane of the source, cells, step in the source).
  template <class F>
  void for_each(std::span<const std::int64_t> k, F f) {
    const std::size_t n = result_.size();
    for (std::size_t i = 0; i < n; ++i) {
      const std::int64_t stride = window_.strides[i], shift = k[i] * window_.dilations[i] - window_.pads_begin[i];
      low_[i] = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
      const std::int64_t room = source_[i] - 1 - shift;
      high_[i] = room < 0 ? 0 : std::min(result_[i], room / stride + 1);
      if (low_[i] >= high_[i]) return;
    }
    at_ = low_;
    for (;;) {
      std::int64_t to = 0, from = 0;
      for (std::size_t i = 0; i < n; ++i) {
        to = to * result_[i] + at_[i];
        from = from * source_[i] + at_[i] * window_.strides[i] + k[i] * window_.dilations[i] - window_.pads_begin[i];
      }
      f(to, from, high_[n - 1] - low_[n - 1], window_.strides[n - 1]);
      std::size_t axis = n - 1;
      for (;; --axis) {
        if (axis == 0) return;
        if (++at_[axis - 1] < high_[axis - 1]) break;
        at_[axis - 1] = low_[axis - 1];
      }
    }
  }

 private:
  std::span<const std::int64_t> result_, source_;
  const graph::Window& window_;
  std::vector<std::int64_t> low_, high_, at_;
};

}  // namespace

void run_conv(const ReferenceCall& call) {
  const Shape &src = call.in[0].shape, &weights = call.in[1].shape, &dst = call.out[0].shape;
  const std::vector<std::int64_t> from = spatial_of(src), to = spatial_of(dst);
  const graph::Window w = graph::window_of(call.node, spatial_of(weights), from);
  const std::int64_t groups = call.node.integer("group", 1), per_group = weights[1], plane = src.elements_from(2),
                     pixels = dst.elements_from(2), taps = weights.elements_from(2);
  TapRows rows(to, from, w);
  std::vector<double> sum(static_cast<std::size_t>(pixels));
  for (std::int64_t image = 0; image < dst[0]; ++image) {
    for (std::int64_t o = 0; o < dst[1]; ++o) {
      std::fill(sum.begin(), sum.end(), call.has(2) ? static_cast<double>(call.in[2].data[o]) : 0.0);
      const std::int64_t first = o / (dst[1] / groups) * per_group;
      for (std::int64_t c = 0; c < per_group; ++c) {
        const float* x = call.in[0].data + (image * src[1] + first + c) * plane;
        const float* kernel = call.in[1].data + (o * per_group + c) * taps;
        Odometer k(w.kernel);
        do {
          const auto factor = static_cast<double>(*kernel++);
          rows.for_each(k.index(), [&](std::int64_t at, std::int64_t cell, std::int64_t n, std::int64_t step) {
            for (std::int64_t i = 0; i < n; ++i)
              sum[static_cast<std::size_t>(at + i)] += factor * static_cast<double>(x[cell + i * step]);
          });
        } while (k.next());
      }
      std::transform(sum.begin(), sum.end(), call.out[0].data + (image * dst[1] + o) * pixels,
                     [](double v) { return static_cast<float>(v); });
    }
  }
}

/// The convolution that leads from its output back to its input, with the arrows turned round.
void run_conv_transpose(const ReferenceCall& call) {
  const Shape &src = call.in[0].shape, &weights = call.in[1].shape, &dst = call.out[0].shape;
  const std::vector<std::int64_t> from = spatial_of(src);
  std::vector<std::int64_t> to;
  const graph::Window w = graph::transposed_window_of(call.node, spatial_of(weights), from, to);
  const std::int64_t groups = call.node.integer("group", 1), plane = src.elements_from(2),
                     pixels = dst.elements_from(2), taps = weights.elements_from(2), sources = src[1] / groups,
                     results = weights[1];
  TapRows rows(from, to, w);
  std::vector<double> sum(static_cast<std::size_t>(pixels));
  for (std::int64_t image = 0; image < dst[0]; ++image) {
    for (std::int64_t o = 0; o < dst[1]; ++o) {
      std::fill(sum.begin(), sum.end(), call.has(2) ? static_cast<double>(call.in[2].data[o]) : 0.0);
      for (std::int64_t c = o / results * sources; c < (o / results + 1) * sources; ++c) {
        const float* x = call.in[0].data + (image * src[1] + c) * plane;
        const float* kernel = call.in[1].data + (c * results + o % results) * taps;
        Odometer k(w.kernel);
        do {
          const auto factor = static_cast<double>(*kernel++);
          rows.for_each(k.index(), [&](std::int64_t at, std::int64_t cell, std::int64_t n, std::int64_t step) {
            for (std::int64_t i = 0; i < n; ++i)
              sum[static_cast<std::size_t>(cell + i * step)] += factor * static_cast<double>(x[at + i]);
          });
        } while (k.next());
      }
      std::transform(sum.begin(), sum.end(), call.out[0].data + (image * dst[1] + o) * pixels,
                     [](double v) { return static_cast<float>(v); });
    }
  }
}

void run_gemm(const ReferenceCall& call) {
  const bool left = call.node.integer("transA", 0) != 0, right = call.node.integer("transB", 0) != 0;
  const auto alpha = static_cast<double>(call.node.number("alpha", 1.0f)),
             beta = static_cast<double>(call.node.number("beta", 1.0f));
  const Shape& shape = call.out[0].shape;
  const std::int64_t rows = shape[0], columns = shape[1], inner = call.in[0].shape[left ? 0 : 1];
  const std::int64_t row_a = left ? 1 : inner, step_a = left ? rows : 1, row_b = right ? inner : 1,
                     step_b = right ? 1 : columns;
  std::vector<std::int64_t> bias(2, 0);
  if (call.has(2)) bias = broadcast_strides(call.in[2].shape, shape);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      double sum = 0;
      for (std::int64_t k = 0; k < inner; ++k)
        sum += static_cast<double>(call.in[0].data[i * row_a + k * step_a]) *
               static_cast<double>(call.in[1].data[j * row_b + k * step_b]);
      sum *= alpha;
      if (call.has(2)) sum += beta * static_cast<double>(call.in[2].data[i * bias[0] + j * bias[1]]);
      call.out[0].data[i * columns + j] = static_cast<float>(sum);
    }
  }
}

void run_mat_mul(const ReferenceCall& call) {
  const Shape &a = call.in[0].shape, &b = call.in[1].shape, &shape = call.out[0].shape;
  const std::int64_t inner = a[a.rank() - 1], rows = a.rank() > 1 ? a[a.rank() - 2] : 1,
                     columns = b.rank() > 1 ? b[b.rank() - 1] : 1;
  const auto batch = [](const Shape& s) {
    return Shape(
        {s.extents().begin(), s.extents().end() - static_cast<std::ptrdiff_t>(std::min<std::size_t>(s.rank(), 2))});
  };
  const std::array<Shape, 2> parts{batch(a), batch(b)};
  const Shape batches = graph::broadcast(parts);
  const std::vector<std::int64_t> step_a = broadcast_strides(parts[0], batches),
                                  step_b = broadcast_strides(parts[1], batches);
  if (shape.elements() == 0) return;
  float* out = call.out[0].data;
  Odometer m(batches.extents());
  do {
    const float* x = call.in[0].data + dot(m.index(), step_a) * rows * inner;
    const float* y = call.in[1].data + dot(m.index(), step_b) * inner * columns;
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        double sum = 0;
        for (std::int64_t k = 0; k < inner; ++k)
          sum += static_cast<double>(x[i * inner + k]) * static_cast<double>(y[k * columns + j]);
        *out++ = static_cast<float>(sum);
      }
    }
  } while (m.next());
}

}  // namespace shiftnorm::exec
