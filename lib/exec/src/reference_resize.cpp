#include <fmt/format.h>

#include <array>
#include <cmath>

#include "loops.hpp"
#include "shiftnorm/core/error.hpp"

// The semantics of ONNX's Resize-19 and of its Python reference: every mode is a product of one pass along each axis.
namespace shiftnorm::exec {
namespace {

using graph::Node;
using graph::ResizeAxis;

/// What one position of the result reads along an axis.
struct Taps {
  std::vector<std::int64_t> at;
  std::vector<double> weight;
  bool outside = false;  ///< tf_crop_and_resize: takes extrapolation_value
};

struct Coordinate {
  std::string_view mode;
  double (*of)(double x, const ResizeAxis& axis);
};

double length(std::int64_t n) { return static_cast<double>(n); }
double half_pixel(double x, const ResizeAxis& axis) { return (x + 0.5) / axis.scale - 0.5; }

constexpr std::array kCoordinates{
    Coordinate{
        "align_corners",
        [](double x, const ResizeAxis& a) { return a.out > 1 ? x * (length(a.in) - 1) / (length(a.out) - 1) : 0.0; }},
    Coordinate{"asymmetric", [](double x, const ResizeAxis& a) { return x / a.scale; }},
    Coordinate{"half_pixel", half_pixel},
    Coordinate{"half_pixel_symmetric",
               [](double x, const ResizeAxis& a) {
                 const double part = length(a.out) / (a.scale * length(a.in));
                 return length(a.in) / 2 * (1 - part) + half_pixel(x, a);
               }},
    Coordinate{"pytorch_half_pixel", [](double x, const ResizeAxis& a) { return a.out > 1 ? half_pixel(x, a) : 0.0; }},
    Coordinate{"tf_crop_and_resize",
               [](double x, const ResizeAxis& a) {
                 const double room = length(a.in) - 1;
                 if (a.out <= 1) return 0.5 * (a.roi_begin + a.roi_end) * room;
                 return a.roi_begin * room + x * (a.roi_end - a.roi_begin) * room / (length(a.out) - 1);
               }},
    Coordinate{"tf_half_pixel_for_nn", [](double x, const ResizeAxis& a) { return (x + 0.5) / a.scale; }},
};

/// Nearest of the two neighbours of floor(x) + ratio, 0 < ratio < 1: 0 the left, 1 the right.
struct Rounding {
  std::string_view mode;
  int (*of)(double ratio);
};
constexpr std::array kRoundings{Rounding{"ceil", [](double) { return 1; }}, Rounding{"floor", [](double) { return 0; }},
                                Rounding{"round_prefer_ceil", [](double r) { return r < 0.5 ? 0 : 1; }},
                                Rounding{"round_prefer_floor", [](double r) { return r <= 0.5 ? 0 : 1; }}};

template <class Table>
auto find(const Table& table, const std::string& mode, std::string_view key) {
  const auto it = std::find_if(table.begin(), table.end(), [&](const auto& row) { return row.mode == mode; });
  if (it == table.end()) throw UnsupportedError(fmt::format("{} '{}' of Resize", key, mode));
  return it->of;
}

double tent(double x) { return std::max(1.0 - std::fabs(x), 0.0); }
/// Keys' cubic convolution kernel.
double cubic(double x, double a) {
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0.0;
}

class AxisTaps {
 public:
  explicit AxisTaps(const Node& node)
      : mode_(node.text("mode", "nearest")),
        coordinate_name_(node.text("coordinate_transformation_mode", "half_pixel")),
        coordinate_(find(kCoordinates, coordinate_name_, "coordinate_transformation_mode")),
        rounding_(find(kRoundings, node.text("nearest_mode", "round_prefer_floor"), "nearest_mode")),
        a_(static_cast<double>(node.number("cubic_coeff_a", -0.75f))),
        exclude_(node.integer("exclude_outside", 0) != 0),
        antialias_(node.integer("antialias", 0) != 0) {}

  [[nodiscard]] bool crops() const { return coordinate_name_ == "tf_crop_and_resize"; }

  [[nodiscard]] Taps of(std::int64_t out, const ResizeAxis& axis) const {
    const double x = coordinate_(static_cast<double>(out), axis);
    Taps taps;
    taps.outside = crops() && (x < 0 || x > length(axis.in) - 1);
    // Far outside every tap is the edge's; the cast needs a bound.
    const double low = std::clamp(std::floor(x), -1e15, 1e15);
    // A whole number counts as the right neighbour of the one before it.
    const bool whole = low == x;
    const double ratio = whole ? 1.0 : x - low;
    const std::int64_t left = static_cast<std::int64_t>(low) - (whole ? 1 : 0);
    if (mode_ == "nearest")
      taps = {{left + (whole ? 1 : rounding_(ratio))}, {1.0}, taps.outside};
    else
      weigh(left, ratio, axis, taps);
    for (std::int64_t& at : taps.at) at = std::clamp<std::int64_t>(at, 0, axis.in - 1);
    return taps;
  }

 private:
  void weigh(std::int64_t left, double ratio, const ResizeAxis& axis, Taps& taps) const {
    const bool linear = mode_ == "linear";
    const double reach = linear ? 1.0 : 2.0, scale = antialias_ ? std::min(axis.scale, 1.0) : 1.0;
    const auto first = static_cast<std::int64_t>(std::floor(-reach / scale)) + 1;
    double total = 0;
    for (std::int64_t i = first; i <= 1 - first; ++i) {
      const double at = (static_cast<double>(i) - ratio) * scale;
      const bool inside = left + i >= 0 && left + i < axis.in;
      const double w = exclude_ && !inside ? 0.0 : linear ? tent(at) : cubic(at, a_);
      taps.at.push_back(left + i);
      taps.weight.push_back(w);
      total += w;
    }
    if (!exclude_ && !antialias_) return;
    for (double& w : taps.weight) w /= total;
  }

  std::string mode_, coordinate_name_;
  double (*coordinate_)(double, const ResizeAxis&);
  int (*rounding_)(double);
  double a_;
  bool exclude_, antialias_;
};

/// One pass along `axis` of `shape`, which then has the new extent there.
std::vector<double> pass(const std::vector<double>& x, std::vector<std::int64_t>& shape, std::size_t axis,
                         const std::vector<Taps>& taps) {
  const Shape before(shape);
  const std::int64_t inner = before.elements_from(axis + 1), n = shape[axis], outer = before.elements() / (n * inner);
  shape[axis] = static_cast<std::int64_t>(taps.size());
  std::vector<double> y(static_cast<std::size_t>(Shape(shape).elements()), 0.0);
  double* to = y.data();
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const Taps& t : taps) {
      for (std::size_t k = 0; k < t.at.size(); ++k) {
        const double* from = x.data() + (o * n + t.at[k]) * inner;
        for (std::int64_t i = 0; i < inner; ++i) to[i] += t.weight[k] * from[i];
      }
      to += inner;
    }
  }
  return y;
}

}  // namespace

void run_resize(const ReferenceCall& call) {
  const std::vector<ResizeAxis> axes = graph::resize_axes(call.graph, call.node, call.in[0].shape);
  const AxisTaps rule(call.node);
  std::vector<std::int64_t> shape = call.in[0].shape.extents();
  if (call.out[0].shape.elements() == 0) return;
  std::vector<double> values(call.in[0].data, call.in[0].data + call.in[0].shape.elements());
  std::vector<std::vector<Taps>> taps(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    for (std::int64_t x = 0; x < axes[i].out; ++x) taps[i].push_back(rule.of(x, axes[i]));
    if (axes[i].out != axes[i].in || axes[i].scale != 1.0 || rule.crops()) values = pass(values, shape, i, taps[i]);
  }
  std::transform(values.begin(), values.end(), call.out[0].data, [](double v) { return static_cast<float>(v); });
  if (!rule.crops()) return;
  const float beyond = call.node.number("extrapolation_value", 0.0f);
  Odometer at(call.out[0].shape.extents());
  float* out = call.out[0].data;
  do {
    for (std::size_t i = 0; i < taps.size(); ++i)
      if (taps[i][static_cast<std::size_t>(at[i])].outside) *out = beyond;
    ++out;
  } while (at.next());
}

}  // namespace shiftnorm::exec
