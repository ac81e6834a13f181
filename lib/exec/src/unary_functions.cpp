#include "unary_functions.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace shiftnorm::exec {
namespace {

double logistic(double x) { return 1.0 / (1.0 + std::exp(-x)); }
/// log(1 + exp(x)) without leaving the range for large x.
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }
double unit_clamp(double x) { return std::min(std::max(x, 0.0), 1.0); }

constexpr std::array kUnary{
    UnaryFunction{"Abs", [](double x, double, double) { return std::fabs(x); }, {}, {}},
    UnaryFunction{"Acos", [](double x, double, double) { return std::acos(x); }, {}, {}},
    UnaryFunction{"Acosh", [](double x, double, double) { return std::acosh(x); }, {}, {}},
    UnaryFunction{"Asin", [](double x, double, double) { return std::asin(x); }, {}, {}},
    UnaryFunction{"Asinh", [](double x, double, double) { return std::asinh(x); }, {}, {}},
    UnaryFunction{"Atan", [](double x, double, double) { return std::atan(x); }, {}, {}},
    UnaryFunction{"Atanh", [](double x, double, double) { return std::atanh(x); }, {}, {}},
    UnaryFunction{"Ceil", [](double x, double, double) { return std::ceil(x); }, {}, {}},
    UnaryFunction{"Celu",
                  [](double x, double a, double) { return std::max(x, 0.0) + std::min(a * std::expm1(x / a), 0.0); },
                  {"alpha", 1.0f},
                  {}},
    UnaryFunction{"Cos", [](double x, double, double) { return std::cos(x); }, {}, {}},
    UnaryFunction{"Cosh", [](double x, double, double) { return std::cosh(x); }, {}, {}},
    UnaryFunction{"Elu", [](double x, double a, double) { return x < 0 ? a * std::expm1(x) : x; }, {"alpha", 1.0f}, {}},
    UnaryFunction{"Erf", [](double x, double, double) { return std::erf(x); }, {}, {}},
    UnaryFunction{"Exp", [](double x, double, double) { return std::exp(x); }, {}, {}},
    UnaryFunction{"Floor", [](double x, double, double) { return std::floor(x); }, {}, {}},
    UnaryFunction{"HardSigmoid",
                  [](double x, double a, double b) { return unit_clamp(a * x + b); },
                  {"alpha", 0.2f},
                  {"beta", 0.5f}},
    UnaryFunction{"HardSwish", [](double x, double, double) { return x * unit_clamp(x / 6.0 + 0.5); }, {}, {}},
    UnaryFunction{"IsNaN", [](double x, double, double) { return std::isnan(x) ? 1.0 : 0.0; }, {}, {}},
    UnaryFunction{"LeakyRelu", [](double x, double a, double) { return x < 0 ? a * x : x; }, {"alpha", 0.01f}, {}},
    UnaryFunction{"Log", [](double x, double, double) { return std::log(x); }, {}, {}},
    UnaryFunction{"Mish", [](double x, double, double) { return x * std::tanh(softplus(x)); }, {}, {}},
    UnaryFunction{"Neg", [](double x, double, double) { return -x; }, {}, {}},
    UnaryFunction{"Not", [](double x, double, double) { return x == 0 ? 1.0 : 0.0; }, {}, {}},
    UnaryFunction{"Reciprocal", [](double x, double, double) { return 1.0 / x; }, {}, {}},
    UnaryFunction{"Relu", [](double x, double, double) { return x < 0 ? 0.0 : x; }, {}, {}},
    // Halves to even: the default rounding of floating-point arithmetic.
    UnaryFunction{"Round", [](double x, double, double) { return std::nearbyint(x); }, {}, {}},
    UnaryFunction{"Selu",
                  [](double x, double a, double b) { return b * (x > 0 ? x : a * std::expm1(x)); },
                  {"alpha", 1.67326319217681884765625f},
                  {"gamma", 1.05070102214813232421875f}},
    UnaryFunction{"Shrink",
                  [](double x, double a, double b) { return x < -b  ? x + a
                                                            : x > b ? x - a
                                                                    : 0.0; },
                  {"bias", 0.0f},
                  {"lambd", 0.5f}},
    UnaryFunction{"Sigmoid", [](double x, double, double) { return logistic(x); }, {}, {}},
    UnaryFunction{"Sign", [](double x, double, double) { return x > 0   ? 1.0
                                                                : x < 0 ? -1.0
                                                                        : x; }, {}, {}},
    UnaryFunction{"Sin", [](double x, double, double) { return std::sin(x); }, {}, {}},
    UnaryFunction{"Sinh", [](double x, double, double) { return std::sinh(x); }, {}, {}},
    UnaryFunction{"Softplus", [](double x, double, double) { return softplus(x); }, {}, {}},
    UnaryFunction{"Softsign", [](double x, double, double) { return x / (1.0 + std::fabs(x)); }, {}, {}},
    UnaryFunction{"Sqrt", [](double x, double, double) { return std::sqrt(x); }, {}, {}},
    UnaryFunction{"Tan", [](double x, double, double) { return std::tan(x); }, {}, {}},
    UnaryFunction{"Tanh", [](double x, double, double) { return std::tanh(x); }, {}, {}},
    UnaryFunction{"ThresholdedRelu", [](double x, double a, double) { return x > a ? x : 0.0; }, {"alpha", 1.0f}, {}},
};
static_assert(std::is_sorted(kUnary.begin(), kUnary.end(),
                             [](const UnaryFunction& a, const UnaryFunction& b) { return a.op < b.op; }),
              "find_unary_function searches by halves");

}  // namespace

std::span<const UnaryFunction> unary_functions() { return kUnary; }

const UnaryFunction* find_unary_function(std::string_view op) {
  const auto it = std::lower_bound(kUnary.begin(), kUnary.end(), op,
                                   [](const UnaryFunction& a, std::string_view b) { return a.op < b; });
  return it != kUnary.end() && it->op == op ? &*it : nullptr;
}

double parameter_of(const graph::Node& node, const UnaryFunction::Parameter& parameter) {
  return parameter.key.empty() ? 0.0 : static_cast<double>(node.number(parameter.key, parameter.absent));
}

}  // namespace shiftnorm::exec
