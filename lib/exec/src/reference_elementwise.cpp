#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "loops.hpp"
#include "shiftnorm/core/error.hpp"
#include "unary_functions.hpp"

namespace shiftnorm::exec {
namespace {

template <class F>
void map(const ReferenceCall& call, F f) {
  const std::int64_t n = call.out[0].shape.elements();
  for (std::int64_t i = 0; i < n; ++i) call.out[0].data[i] = static_cast<float>(f(call.in[0].data[i]));
}

/// f(offsets of the inputs, offset of the output) for every element of the output.
template <std::size_t K, class F>
void walk_broadcast(std::span<const TensorView> in, const Shape& out, F f) {
  std::array<std::vector<std::int64_t>, K> strides;
  for (std::size_t k = 0; k < K; ++k) strides[k] = broadcast_strides(in[k].shape, out);
  if (out.elements() == 0) return;
  const std::int64_t last = out.rank() == 0 ? 1 : out[out.rank() - 1];
  std::array<std::int64_t, K> step{};
  for (std::size_t k = 0; k < K && out.rank() > 0; ++k) step[k] = strides[k].back();
  Odometer outer(std::span(out.extents()).first(out.rank() == 0 ? 0 : out.rank() - 1));
  std::int64_t to = 0;
  do {
    std::array<std::int64_t, K> at{};
    for (std::size_t k = 0; k < K; ++k) at[k] = dot(outer.index(), strides[k]);
    for (std::int64_t i = 0; i < last; ++i, ++to) {
      f(at, to);
      for (std::size_t k = 0; k < K; ++k) at[k] += step[k];
    }
  } while (outer.next());
}

struct BinaryFunction {
  std::string_view op;
  double (*of)(double a, double b);
};

double truth(bool v) { return v ? 1.0 : 0.0; }
/// The remainder with the sign of the divisor, as Python's % on integers.
double floor_mod(double a, double b) {
  const double r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

/// Sums and such of more than two inputs fold from the left. NaN wins a Max or Min, as in NumPy.
constexpr std::array kBinary{
    BinaryFunction{"Add", [](double a, double b) { return a + b; }},
    BinaryFunction{"And", [](double a, double b) { return truth(a != 0 && b != 0); }},
    BinaryFunction{"Div", [](double a, double b) { return a / b; }},
    BinaryFunction{"Equal", [](double a, double b) { return truth(a == b); }},
    BinaryFunction{"Greater", [](double a, double b) { return truth(a > b); }},
    BinaryFunction{"GreaterOrEqual", [](double a, double b) { return truth(a >= b); }},
    BinaryFunction{"Less", [](double a, double b) { return truth(a < b); }},
    BinaryFunction{"LessOrEqual", [](double a, double b) { return truth(a <= b); }},
    BinaryFunction{"Max", [](double a, double b) { return a > b || std::isnan(a) ? a : b; }},
    BinaryFunction{"Mean", [](double a, double b) { return a + b; }},
    BinaryFunction{"Min", [](double a, double b) { return a < b || std::isnan(a) ? a : b; }},
    BinaryFunction{"Mul", [](double a, double b) { return a * b; }},
    BinaryFunction{"Or", [](double a, double b) { return truth(a != 0 || b != 0); }},
    BinaryFunction{"PRelu", [](double a, double b) { return a < 0 ? a * b : a; }},
    BinaryFunction{"Pow", [](double a, double b) { return std::pow(a, b); }},
    BinaryFunction{"Sub", [](double a, double b) { return a - b; }},
    BinaryFunction{"Sum", [](double a, double b) { return a + b; }},
    BinaryFunction{"Xor", [](double a, double b) { return truth((a != 0) != (b != 0)); }},
};

double (*binary_function(const graph::Node& node))(double, double) {
  if (node.op == "Mod")
    return node.integer("fmod", 0) != 0 ? [](double a, double b) { return std::fmod(a, b); } : floor_mod;
  const auto it =
      std::find_if(kBinary.begin(), kBinary.end(), [&](const BinaryFunction& f) { return f.op == node.op; });
  if (it == kBinary.end()) throw UnsupportedError(fmt::format("operator {} has no function of two elements", node.op));
  return it->of;
}

}  // namespace

void run_copy(const ReferenceCall& call) {
  std::copy_n(call.in[0].data, call.out[0].shape.elements(), call.out[0].data);
}

void run_unary(const ReferenceCall& call) {
  const UnaryFunction* f = find_unary_function(call.node.op);
  if (f == nullptr) throw UnsupportedError(fmt::format("operator {} has no function of one element", call.node.op));
  const double a = parameter_of(call.node, f->a), b = parameter_of(call.node, f->b);
  map(call, [&](float x) { return f->of(static_cast<double>(x), a, b); });
}

void run_binary(const ReferenceCall& call) {
  auto* const f = binary_function(call.node);
  const std::int64_t n = call.out[0].shape.elements();
  // Doubles between the inputs: a sum of many rounds once.
  std::vector<double> so_far(static_cast<std::size_t>(n));
  walk_broadcast<1>(call.in.first(1), call.out[0].shape, [&](const auto& at, std::int64_t to) {
    so_far[static_cast<std::size_t>(to)] = static_cast<double>(call.in[0].data[at[0]]);
  });
  for (std::size_t k = 1; k < call.in.size(); ++k) {
    walk_broadcast<1>(call.in.subspan(k, 1), call.out[0].shape, [&](const auto& at, std::int64_t to) {
      double& value = so_far[static_cast<std::size_t>(to)];
      value = f(value, static_cast<double>(call.in[k].data[at[0]]));
    });
  }
  const double parts = call.node.op == "Mean" ? static_cast<double>(call.in.size()) : 1.0;
  std::transform(so_far.begin(), so_far.end(), call.out[0].data,
                 [parts](double v) { return static_cast<float>(v / parts); });
}

void run_clip(const ReferenceCall& call) {
  const float low = call.has(1) ? *call.in[1].data : std::numeric_limits<float>::lowest();
  const float high = call.has(2) ? *call.in[2].data : std::numeric_limits<float>::max();
  map(call, [&](float x) { return std::min(std::max(x, low), high); });
}

/// Inference keeps everything; the mask says so.
void run_dropout(const ReferenceCall& call) {
  if (call.out[0].data != nullptr) run_copy(call);
  if (call.out.size() > 1 && call.out[1].data != nullptr)
    std::fill_n(call.out[1].data, call.out[1].shape.elements(), 1.0f);
}

void run_gelu(const ReferenceCall& call) {
  const std::string kind = call.node.text("approximate", "none");
  if (kind == "tanh") {
    const double s = std::sqrt(2.0 / std::numbers::pi);
    return map(call, [&](float v) {
      const auto x = static_cast<double>(v);
      return 0.5 * x * (1.0 + std::tanh(s * (x + 0.044715 * x * x * x)));
    });
  }
  if (kind != "none") throw UnsupportedError(fmt::format("Gelu approximate '{}'; expected none or tanh", kind));
  map(call, [](float v) {
    const auto x = static_cast<double>(v);
    return 0.5 * x * (1.0 + std::erf(x / std::numbers::sqrt2));
  });
}

void run_is_inf(const ReferenceCall& call) {
  const bool negative = call.node.integer("detect_negative", 1) != 0,
             positive = call.node.integer("detect_positive", 1) != 0;
  map(call, [&](float x) { return std::isinf(x) && (x < 0 ? negative : positive) ? 1.0f : 0.0f; });
}

/// Values stay floats; a cast to integers cuts the fraction off, one to booleans gives 0 or 1.
void run_cast(const ReferenceCall& call) {
  enum class To { same, integer, boolean };
  // Numbers of TensorProto.DataType.
  constexpr std::array<std::pair<std::int64_t, To>, 13> kTypes{{{1, To::same},
                                                                {2, To::integer},
                                                                {3, To::integer},
                                                                {4, To::integer},
                                                                {5, To::integer},
                                                                {6, To::integer},
                                                                {7, To::integer},
                                                                {9, To::boolean},
                                                                {10, To::same},
                                                                {11, To::same},
                                                                {12, To::integer},
                                                                {13, To::integer},
                                                                {16, To::same}}};
  const std::int64_t given = call.node.integer("to", 1);
  const auto it = std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& t) { return t.first == given; });
  if (it == kTypes.end()) throw UnsupportedError(fmt::format("Cast to data type {}; expected a number or bool", given));
  switch (it->second) {
    case To::same: return run_copy(call);
    case To::integer: return map(call, [](float x) { return std::trunc(x); });
    case To::boolean: return map(call, [](float x) { return x != 0 ? 1.0f : 0.0f; });
  }
}

void run_where(const ReferenceCall& call) {
  walk_broadcast<3>(call.in, call.out[0].shape, [&](const auto& at, std::int64_t to) {
    call.out[0].data[to] = call.in[0].data[at[0]] != 0 ? call.in[1].data[at[1]] : call.in[2].data[at[2]];
  });
}

}  // namespace shiftnorm::exec
