#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>

#include "loops.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::exec {
namespace {

struct MeanAndVariance {
  double mean = 0, variance = 0;
};

/// Of values x[offset(i)], i < n, in two passes.
template <class Offset>
MeanAndVariance moments(const float* x, std::int64_t n, Offset offset) {
  MeanAndVariance m;
  for (std::int64_t i = 0; i < n; ++i) m.mean += static_cast<double>(x[offset(i)]);
  m.mean /= static_cast<double>(n);
  for (std::int64_t i = 0; i < n; ++i) {
    const double d = static_cast<double>(x[offset(i)]) - m.mean;
    m.variance += d * d;
  }
  m.variance /= static_cast<double>(n);
  return m;
}

/// Values at equal steps: one line of a tensor along an axis.
struct Line {
  const float* x;
  float* y;
  std::int64_t n, step;
  [[nodiscard]] double operator[](std::int64_t i) const { return static_cast<double>(x[i * step]); }
  void set(std::int64_t i, double v) const { y[i * step] = static_cast<float>(v); }
};

double largest(const Line& line) {
  double most = -std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < line.n; ++i) most = std::max(most, line[i]);
  return most;
}

void softmax(const Line& line, const graph::Node&) {
  const double most = largest(line);
  double sum = 0;
  for (std::int64_t i = 0; i < line.n; ++i) sum += std::exp(line[i] - most);
  for (std::int64_t i = 0; i < line.n; ++i) line.set(i, std::exp(line[i] - most) / sum);
}

void log_softmax(const Line& line, const graph::Node&) {
  const double most = largest(line);
  double sum = 0;
  for (std::int64_t i = 0; i < line.n; ++i) sum += std::exp(line[i] - most);
  for (std::int64_t i = 0; i < line.n; ++i) line.set(i, line[i] - most - std::log(sum));
}

/// One at the first of the largest.
void hardmax(const Line& line, const graph::Node&) {
  std::int64_t best = 0;
  for (std::int64_t i = 1; i < line.n; ++i)
    if (line[i] > line[best]) best = i;
  for (std::int64_t i = 0; i < line.n; ++i) line.set(i, i == best ? 1.0 : 0.0);
}

void lp_normalise(const Line& line, const graph::Node& node) {
  const auto p = static_cast<double>(node.integer("p", 2));
  double sum = 0;
  for (std::int64_t i = 0; i < line.n; ++i) sum += std::pow(std::fabs(line[i]), p);
  const double norm = std::pow(sum, 1.0 / p);
  for (std::int64_t i = 0; i < line.n; ++i) line.set(i, line[i] / norm);
}

struct AlongAxis {
  std::string_view op;
  void (*run)(const Line& line, const graph::Node& node);
};
constexpr std::array kAlongAxis{AlongAxis{"Hardmax", hardmax}, AlongAxis{"LogSoftmax", log_softmax},
                                AlongAxis{"LpNormalization", lp_normalise}, AlongAxis{"Softmax", softmax}};

/// The values of one reduction: x[at[i]].
struct Reduced {
  const float* x;
  std::span<const std::int64_t> at;

  template <class F>
  [[nodiscard]] double fold(double start, F f) const {
    for (const std::int64_t i : at) start = f(start, static_cast<double>(x[i]));
    return start;
  }
  [[nodiscard]] double maximum() const {
    return fold(-std::numeric_limits<double>::infinity(), [](double a, double v) { return a > v ? a : v; });
  }
  [[nodiscard]] double minimum() const {
    return fold(std::numeric_limits<double>::infinity(), [](double a, double v) { return a < v ? a : v; });
  }
  [[nodiscard]] double sum() const {
    return fold(0.0, [](double a, double v) { return a + v; });
  }
  [[nodiscard]] double squares() const {
    return fold(0.0, [](double a, double v) { return a + v * v; });
  }
};

struct Reduction {
  std::string_view op;
  double (*of)(const Reduced& values);
};
constexpr std::array kReductions{
    Reduction{"ReduceL1",
              [](const Reduced& v) { return v.fold(0.0, [](double a, double x) { return a + std::fabs(x); }); }},
    Reduction{"ReduceL2", [](const Reduced& v) { return std::sqrt(v.squares()); }},
    Reduction{"ReduceLogSum", [](const Reduced& v) { return std::log(v.sum()); }},
    Reduction{"ReduceLogSumExp",
              [](const Reduced& v) {
                const double most = v.maximum();
                if (!std::isfinite(most)) return most;
                return most + std::log(v.fold(0.0, [most](double a, double x) { return a + std::exp(x - most); }));
              }},
    Reduction{"ReduceMax", [](const Reduced& v) { return v.maximum(); }},
    Reduction{"ReduceMean", [](const Reduced& v) { return v.sum() / static_cast<double>(v.at.size()); }},
    Reduction{"ReduceMin", [](const Reduced& v) { return v.minimum(); }},
    Reduction{"ReduceProd", [](const Reduced& v) { return v.fold(1.0, [](double a, double x) { return a * x; }); }},
    Reduction{"ReduceSum", [](const Reduced& v) { return v.sum(); }},
    Reduction{"ReduceSumSquare", [](const Reduced& v) { return v.squares(); }},
};

template <class Table>
const auto& row(const Table& table, const graph::Node& node) {
  const auto it = std::find_if(table.begin(), table.end(), [&](const auto& r) { return r.op == node.op; });
  if (it == table.end()) throw UnsupportedError(fmt::format("operator {} is not in its table", node.op));
  return *it;
}

/// Offsets of every multi-index of the axes chosen by `which`, in row-major order.
std::vector<std::int64_t> offsets(const Shape& shape, const std::vector<bool>& reduced, bool which) {
  std::vector<std::int64_t> extents, strides, out;
  const std::vector<std::int64_t> all = strides_of(shape);
  std::int64_t total = 1;
  for (std::size_t i = 0; i < shape.rank(); ++i) {
    if (reduced[i] != which) continue;
    extents.push_back(shape[i]);
    strides.push_back(all[i]);
    total *= shape[i];
  }
  if (total == 0) return out;
  out.reserve(static_cast<std::size_t>(total));
  Odometer index(extents);
  do out.push_back(dot(index.index(), strides));
  while (index.next());
  return out;
}

}  // namespace

void run_batch_norm(const ReferenceCall& call) {
  const Shape& shape = call.out[0].shape;
  const std::int64_t plane = shape.elements_from(2);
  const auto epsilon = static_cast<double>(call.node.number("epsilon", 1e-5f));
  for (std::int64_t i = 0; i < shape[0] * shape[1]; ++i) {
    const std::int64_t c = i % shape[1];
    const auto of = [&](std::size_t k) { return static_cast<double>(call.in[k].data[c]); };
    const double scale = of(1) / std::sqrt(of(4) + epsilon);
    for (std::int64_t p = i * plane; p < (i + 1) * plane; ++p)
      call.out[0].data[p] = static_cast<float>((static_cast<double>(call.in[0].data[p]) - of(3)) * scale + of(2));
  }
}

void run_instance_norm(const ReferenceCall& call) {
  const Shape& shape = call.out[0].shape;
  const std::int64_t plane = shape.elements_from(2);
  const auto epsilon = static_cast<double>(call.node.number("epsilon", 1e-5f));
  for (std::int64_t i = 0; i < shape[0] * shape[1]; ++i) {
    const float* x = call.in[0].data + i * plane;
    const MeanAndVariance m = moments(x, plane, [](std::int64_t p) { return p; });
    const double scale = static_cast<double>(call.in[1].data[i % shape[1]]) / std::sqrt(m.variance + epsilon),
                 shift = static_cast<double>(call.in[2].data[i % shape[1]]);
    for (std::int64_t p = 0; p < plane; ++p)
      call.out[0].data[i * plane + p] = static_cast<float>((static_cast<double>(x[p]) - m.mean) * scale + shift);
  }
}

void run_layer_norm(const ReferenceCall& call) {
  const Shape& shape = call.in[0].shape;
  const std::size_t axis = graph::axis_of(call.node.integer("axis", -1), shape.rank());
  const std::int64_t n = shape.elements_from(axis);
  const Shape line({shape.extents().begin() + static_cast<std::ptrdiff_t>(axis), shape.extents().end()});
  const auto epsilon = static_cast<double>(call.node.number("epsilon", 1e-5f));
  const std::vector<std::int64_t> scale = broadcast_strides(call.in[1].shape, line),
                                  shift = call.has(2) ? broadcast_strides(call.in[2].shape, line) : scale;
  for (std::int64_t o = 0; n > 0 && o < shape.elements() / n; ++o) {
    const float* x = call.in[0].data + o * n;
    const MeanAndVariance m = moments(x, n, [](std::int64_t i) { return i; });
    const double inverse = 1.0 / std::sqrt(m.variance + epsilon);
    const auto put = [&](std::size_t k, double v) {
      if (call.out.size() > k && call.out[k].data != nullptr) call.out[k].data[o] = static_cast<float>(v);
    };
    put(1, m.mean);
    put(2, inverse);
    if (call.out[0].data == nullptr) continue;
    Odometer index(line.extents());
    std::int64_t i = 0;
    do {
      const double v = (static_cast<double>(x[i]) - m.mean) * inverse *
                           static_cast<double>(call.in[1].data[dot(index.index(), scale)]) +
                       (call.has(2) ? static_cast<double>(call.in[2].data[dot(index.index(), shift)]) : 0.0);
      call.out[0].data[o * n + i++] = static_cast<float>(v);
    } while (index.next());
  }
}

void run_lrn(const ReferenceCall& call) {
  const Shape& shape = call.out[0].shape;
  const std::int64_t plane = shape.elements_from(2), channels = shape[1], size = call.node.integer("size", 1);
  const auto alpha = static_cast<double>(call.node.number("alpha", 1e-4f)),
             beta = static_cast<double>(call.node.number("beta", 0.75f)),
             bias = static_cast<double>(call.node.number("bias", 1.0f));
  for (std::int64_t image = 0; image < shape[0]; ++image) {
    const float* x = call.in[0].data + image * channels * plane;
    float* y = call.out[0].data + image * channels * plane;
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t low = std::max<std::int64_t>(c - (size - 1) / 2, 0),
                         high = std::min(c + size / 2, channels - 1);
      for (std::int64_t p = 0; p < plane; ++p) {
        double squares = 0;
        for (std::int64_t k = low; k <= high; ++k) {
          const auto v = static_cast<double>(x[k * plane + p]);
          squares += v * v;
        }
        y[c * plane + p] = static_cast<float>(static_cast<double>(x[c * plane + p]) /
                                              std::pow(bias + alpha / static_cast<double>(size) * squares, beta));
      }
    }
  }
}

void run_mean_variance(const ReferenceCall& call) {
  const Shape& shape = call.in[0].shape;
  std::vector<bool> reduced(shape.rank(), false);
  for (const std::int64_t axis : call.node.integers("axes", {0, 2, 3}))
    reduced[graph::axis_of(axis, shape.rank())] = true;
  const std::vector<std::int64_t> inner = offsets(shape, reduced, true), outer = offsets(shape, reduced, false);
  for (const std::int64_t base : outer) {
    const MeanAndVariance m = moments(call.in[0].data + base, static_cast<std::int64_t>(inner.size()),
                                      [&](std::int64_t i) { return inner[static_cast<std::size_t>(i)]; });
    // The definition's guard against a variance of 0.
    const double deviation = std::sqrt(m.variance) + 1e-9;
    for (const std::int64_t i : inner)
      call.out[0].data[base + i] =
          static_cast<float>((static_cast<double>(call.in[0].data[base + i]) - m.mean) / deviation);
  }
}

void run_along_axis(const ReferenceCall& call) {
  const AlongAxis& op = row(kAlongAxis, call.node);
  const Shape& shape = call.in[0].shape;
  const std::size_t axis = graph::axis_of(call.node.integer("axis", -1), shape.rank());
  const std::int64_t n = shape[axis], inner = shape.elements_from(axis + 1);
  for (std::int64_t line = 0; n > 0 && line < shape.elements() / n; ++line) {
    const std::int64_t base = line / inner * n * inner + line % inner;
    op.run({call.in[0].data + base, call.out[0].data + base, n, inner}, call.node);
  }
}

void run_reduce(const ReferenceCall& call) {
  const Reduction& op = row(kReductions, call.node);
  const Shape& shape = call.in[0].shape;
  const std::vector<bool> reduced = graph::reduced_axes(call.graph, call.node, shape.rank());
  const std::vector<std::int64_t> inner = offsets(shape, reduced, true), outer = offsets(shape, reduced, false);
  for (std::size_t o = 0; o < outer.size(); ++o)
    call.out[0].data[o] = static_cast<float>(op.of({call.in[0].data + outer[o], inner}));
}

void run_arg(const ReferenceCall& call) {
  const Shape& shape = call.in[0].shape;
  const std::size_t axis = graph::axis_of(call.node.integer("axis", 0), shape.rank());
  const std::int64_t n = shape[axis], inner = shape.elements_from(axis + 1);
  const double sign = call.node.op == "ArgMax" ? 1.0 : -1.0;
  const bool last = call.node.integer("select_last_index", 0) != 0;
  for (std::int64_t o = 0; n > 0 && o < shape.elements() / n; ++o) {
    const float* x = call.in[0].data + o / inner * n * inner + o % inner;
    std::int64_t best = 0;
    for (std::int64_t i = 1; i < n; ++i) {
      const double v = sign * static_cast<double>(x[i * inner]), so_far = sign * static_cast<double>(x[best * inner]);
      if (v > so_far || (last && v == so_far)) best = i;
    }
    call.out[0].data[o] = static_cast<float>(best);
  }
}

}  // namespace shiftnorm::exec
