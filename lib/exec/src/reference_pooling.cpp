#include <cmath>
#include <limits>

#include "loops.hpp"

namespace shiftnorm::exec {
namespace {

/// What the cells of one window that lie inside the source come to.
class WindowSum {
 public:
  WindowSum(const graph::Node& node, const graph::Window& w)
      : kind_(node.op == "MaxPool"  ? Kind::maximum
              : node.op == "LpPool" ? Kind::norm
                                    : Kind::average),
        include_(w.count_include_pad),
        power_(static_cast<double>(node.integer("p", 2))) {}

  void start() {
    sum_ = kind_ == Kind::maximum ? -std::numeric_limits<double>::infinity() : 0.0;
    inside_ = padded_ = 0;
    at_ = 0;
  }
  void pad() { ++padded_; }
  void add(double v, std::int64_t cell) {
    ++inside_;
    ++padded_;
    if (kind_ == Kind::norm) {
      sum_ += std::pow(std::fabs(v), power_);
    } else if (kind_ == Kind::average) {
      sum_ += v;
    } else if (v > sum_ || std::isnan(v)) {
      sum_ = v;
      at_ = cell;
    }
  }
  [[nodiscard]] double value() const {
    if (kind_ == Kind::maximum) return sum_;
    if (kind_ == Kind::norm) return std::pow(sum_, 1.0 / power_);
    return sum_ / static_cast<double>(include_ ? padded_ : inside_);
  }
  [[nodiscard]] std::int64_t at() const { return at_; }

 private:
  enum class Kind { maximum, average, norm };
  Kind kind_;
  bool include_;
  double power_, sum_ = 0;
  std::int64_t inside_ = 0, padded_ = 0, at_ = 0;
};

}  // namespace

void run_pool(const ReferenceCall& call) {
  const Shape &src = call.in[0].shape, &dst = call.out[0].shape;
  const std::vector<std::int64_t> from = spatial_of(src), to = spatial_of(dst);
  const graph::Window w = graph::window_of(call.node, call.node.integers("kernel_shape", {}), from);
  const std::int64_t plane = src.elements_from(2), pixels = dst.elements_from(2);
  const std::size_t axes = from.size();
  // Cells of the source by position in the window, in the order that indices count them.
  const std::vector<std::int64_t> stride = strides_of(Shape(from));
  std::vector<std::int64_t> counting = stride;
  if (call.node.integer("storage_order", 0) != 0) {
    counting.assign(axes, 1);
    for (std::size_t i = 1; i < axes; ++i) counting[i] = counting[i - 1] * from[i - 1];
  }
  WindowSum sum(call.node, w);
  for (std::int64_t channel = 0; channel < dst[0] * dst[1]; ++channel) {
    const float* x = call.in[0].data + channel * plane;
    Odometer at(to), k(w.kernel);
    std::int64_t pixel = channel * pixels;
    if (pixels == 0) continue;
    do {
      sum.start();
      do {
        std::int64_t offset = 0, count = 0;
        bool inside = true, declared = true;  // cells beyond the declared padding (ceil_mode) never count
        for (std::size_t i = 0; i < axes; ++i) {
          const std::int64_t p = at[i] * w.strides[i] - w.pads_begin[i] + k[i] * w.dilations[i];
          inside = inside && p >= 0 && p < from[i];
          declared = declared && p < from[i] + w.pads_end[i];
          offset += p * stride[i];
          count += p * counting[i];
        }
        if (inside)
          sum.add(static_cast<double>(x[offset]), count);
        else if (declared)
          sum.pad();
      } while (k.next());
      if (call.out[0].data != nullptr) call.out[0].data[pixel] = static_cast<float>(sum.value());
      if (call.out.size() > 1 && call.out[1].data != nullptr)
        call.out[1].data[pixel] = static_cast<float>(channel * plane + sum.at());
      ++pixel;
    } while (at.next());
  }
}

void run_global_pool(const ReferenceCall& call) {
  const std::int64_t plane = call.in[0].shape.elements_from(2);
  const bool maximum = call.node.op == "GlobalMaxPool", norm = call.node.op == "GlobalLpPool";
  const auto p = static_cast<double>(call.node.integer("p", 2));
  for (std::int64_t c = 0; c < call.out[0].shape.elements(); ++c) {
    const float* x = call.in[0].data + c * plane;
    double sum = maximum ? -std::numeric_limits<double>::infinity() : 0.0;
    for (std::int64_t i = 0; i < plane; ++i) {
      const auto v = static_cast<double>(x[i]);
      sum = maximum ? std::max(sum, v) : sum + (norm ? std::pow(std::fabs(v), p) : v);
    }
    if (norm) sum = std::pow(sum, 1.0 / p);
    call.out[0].data[c] = static_cast<float>(maximum || norm ? sum : sum / static_cast<double>(plane));
  }
}

}  // namespace shiftnorm::exec
