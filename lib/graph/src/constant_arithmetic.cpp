#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "constant_operands.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/strides.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::graph {
namespace {

Value fold_cast(const Operands& in, const LoneNode& lone) {
  // ONNX's numbers of element types; fold_cast keeps integers, floating-point numbers and truth values apart.
  constexpr std::array<std::int64_t, 4> kFloating{1, 10, 11, 16};
  constexpr std::int64_t kBool = 9, kString = 8;
  const std::int64_t to = in.node.integer("to", 1);
  if (to == kString) throw UnsupportedError("Cast to text");
  const Value& from = in.at(0);
  if (std::find(kFloating.begin(), kFloating.end(), to) != kFloating.end()) {
    if (!from.integers) return reshaped(from, lone.result());
    Tensor out(*from.shape);
    std::transform(from.integers->begin(), from.integers->end(), out.values.begin(),
                   [](std::int64_t v) { return static_cast<float>(v); });
    return constant(std::move(out));
  }
  Integers out;
  for (std::size_t i = 0; i < static_cast<std::size_t>(from.shape->elements()); ++i) {
    const double v = number_at(from, i);
    if (!from.integers && !(std::abs(v) < 9e18)) throw ShapeError(fmt::format("Cast of {} to an integer", v));
    const std::int64_t whole = from.integers ? (*from.integers)[i] : static_cast<std::int64_t>(v);
    out.push_back(to == kBool ? (v != 0 ? 1 : 0) : whole);
  }
  return constant(*from.shape, std::move(out));
}

/// One operation on two numbers, in both kinds. Integers: false where the result does not fit or is not defined.
struct Binary {
  bool (*integer)(std::int64_t a, std::int64_t b, std::int64_t& out);
  double (*floating)(double a, double b);
  bool truth = false;  ///< gives 0 or 1
};

Value fold_binary(const Operands& in, const Binary& op, const Value& left, const Value& right) {
  if (left.integers.has_value() != right.integers.has_value())
    throw FormatError(fmt::format("{} of an integer and a floating-point constant", in.node.op));
  const std::array both{*left.shape, *right.shape};
  const Shape out = broadcast(both);
  const Value a = expanded(left, out), b = expanded(right, out);
  const auto n = static_cast<std::size_t>(out.elements());
  if (!a.integers && !op.truth) {
    Tensor tensor(out);
    for (std::size_t i = 0; i < n; ++i)
      tensor.values[i] = static_cast<float>(op.floating(number_at(a, i), number_at(b, i)));
    return constant(std::move(tensor));
  }
  Integers integers(n);
  for (std::size_t i = 0; i < n; ++i) {
    if (!a.integers)
      integers[i] = op.floating(number_at(a, i), number_at(b, i)) != 0 ? 1 : 0;
    else if (!op.integer((*a.integers)[i], (*b.integers)[i], integers[i]))
      throw ShapeError(
          fmt::format("{} of {} and {} overflows or divides by zero", in.node.op, (*a.integers)[i], (*b.integers)[i]));
  }
  return constant(out, std::move(integers));
}

using I = std::int64_t;
const std::map<std::string_view, Binary>& binaries() {
  static const std::map<std::string_view, Binary> kBinaries{
      {"Add",
       {[](I a, I b, I& o) { return !__builtin_add_overflow(a, b, &o); }, [](double a, double b) { return a + b; }}},
      {"Sub",
       {[](I a, I b, I& o) { return !__builtin_sub_overflow(a, b, &o); }, [](double a, double b) { return a - b; }}},
      {"Mul",
       {[](I a, I b, I& o) { return !__builtin_mul_overflow(a, b, &o); }, [](double a, double b) { return a * b; }}},
      {"Div",
       {[](I a, I b, I& o) {
          if (b == 0 || (b == -1 && a == std::numeric_limits<I>::min())) return false;
          o = a / b;
          return true;
        },
        [](double a, double b) { return a / b; }}},
      {"Mod",
       {[](I a, I b, I& o) {
          if (b == 0 || b == -1) return o = 0, b != 0;
          o = a % b;
          if (o != 0 && (o < 0) != (b < 0)) o += b;
          return true;
        },
        [](double a, double b) { return std::fmod(a, b); }}},
      {"Pow",
       {[](I a, I b, I& o) {
          const double p = std::pow(static_cast<double>(a), static_cast<double>(b));
          o = std::abs(p) < 9e15 ? static_cast<I>(p) : 0;
          return std::abs(p) < 9e15;
        },
        [](double a, double b) { return std::pow(a, b); }}},
      {"Max",
       {[](I a, I b, I& o) { return o = std::max(a, b), true; }, [](double a, double b) { return std::max(a, b); }}},
      {"Min",
       {[](I a, I b, I& o) { return o = std::min(a, b), true; }, [](double a, double b) { return std::min(a, b); }}},
      {"Equal",
       {[](I a, I b, I& o) { return o = a == b ? 1 : 0, true; }, [](double a, double b) { return a == b ? 1.0 : 0.0; },
        true}},
      {"Greater",
       {[](I a, I b, I& o) { return o = a > b ? 1 : 0, true; }, [](double a, double b) { return a > b ? 1.0 : 0.0; },
        true}},
      {"GreaterOrEqual",
       {[](I a, I b, I& o) { return o = a >= b ? 1 : 0, true; }, [](double a, double b) { return a >= b ? 1.0 : 0.0; },
        true}},
      {"Less",
       {[](I a, I b, I& o) { return o = a < b ? 1 : 0, true; }, [](double a, double b) { return a < b ? 1.0 : 0.0; },
        true}},
      {"LessOrEqual",
       {[](I a, I b, I& o) { return o = a <= b ? 1 : 0, true; }, [](double a, double b) { return a <= b ? 1.0 : 0.0; },
        true}},
      {"And",
       {[](I a, I b, I& o) { return o = a != 0 && b != 0 ? 1 : 0, true; },
        [](double a, double b) { return a != 0 && b != 0 ? 1.0 : 0.0; }, true}},
      {"Or",
       {[](I a, I b, I& o) { return o = a != 0 || b != 0 ? 1 : 0, true; },
        [](double a, double b) { return a != 0 || b != 0 ? 1.0 : 0.0; }, true}}};
  return kBinaries;
}

/// Max and Min take any number of operands.
Value fold_elementwise(const Operands& in, const LoneNode& /*lone*/) {
  const Binary& op = binaries().at(in.node.op);
  Value result = in.at(0);
  for (std::size_t i = 1; i < in.inputs.size(); ++i) result = fold_binary(in, op, result, in.at(i));
  return result;
}

/// Integers are exact as double below 2^53, beyond any extent; operations that give another number are not defined for
/// them.
struct Unary {
  double (*f)(double);
  bool integers = true;
};
const std::map<std::string_view, Unary>& unaries() {
  static const std::map<std::string_view, Unary> kUnaries{{"Floor", {[](double x) { return std::floor(x); }}},
                                                          {"Ceil", {[](double x) { return std::ceil(x); }}},
                                                          {"Round", {[](double x) { return std::nearbyint(x); }}},
                                                          {"Neg", {[](double x) { return -x; }}},
                                                          {"Abs", {[](double x) { return std::abs(x); }}},
                                                          {"Not", {[](double x) { return x == 0 ? 1.0 : 0.0; }}},
                                                          {"Sqrt", {[](double x) { return std::sqrt(x); }, false}},
                                                          {"Exp", {[](double x) { return std::exp(x); }, false}},
                                                          {"Log", {[](double x) { return std::log(x); }, false}},
                                                          {"Reciprocal", {[](double x) { return 1 / x; }, false}}};
  return kUnaries;
}

Value fold_unary(const Operands& in, const LoneNode& /*lone*/) {
  const Unary& op = unaries().at(in.node.op);
  Value out = in.at(0);
  if (out.integers) {
    if (!op.integers) throw FormatError(fmt::format("{} of integers", in.node.op));
    for (std::int64_t& v : *out.integers) v = static_cast<std::int64_t>(op.f(static_cast<double>(v)));
  } else {
    for (float& v : out.tensor->values) v = static_cast<float>(op.f(static_cast<double>(v)));
  }
  return out;
}

Value fold_where(const Operands& in, const LoneNode& lone) {
  const Value &condition = in.at(0), &yes = in.at(1), &no = in.at(2);
  if (!condition.integers || yes.integers.has_value() != no.integers.has_value())
    throw FormatError("Where on constants of different kinds");
  const Value choice = expanded(condition, lone.result()), other = expanded(no, lone.result());
  Value result = expanded(yes, lone.result());
  for (std::size_t i = 0; i < choice.integers->size(); ++i) {
    if ((*choice.integers)[i] != 0) continue;
    if (result.integers)
      (*result.integers)[i] = (*other.integers)[i];
    else
      result.tensor->values[i] = other.tensor->values[i];
  }
  return result;
}

struct Reduction {
  double start;
  double (*join)(double a, double b);
  bool mean = false;
};
const std::map<std::string_view, Reduction>& reductions() {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  static const std::map<std::string_view, Reduction> kReductions{
      {"ReduceSum", {0, [](double a, double b) { return a + b; }}},
      {"ReduceMean", {0, [](double a, double b) { return a + b; }, true}},
      {"ReduceProd", {1, [](double a, double b) { return a * b; }}},
      {"ReduceMax", {-kInfinity, [](double a, double b) { return std::max(a, b); }}},
      {"ReduceMin", {kInfinity, [](double a, double b) { return std::min(a, b); }}}};
  return kReductions;
}

Value fold_reduce(const Operands& in, const LoneNode& lone) {
  const Reduction& op = reductions().at(in.node.op);
  const Value& from = in.at(0);
  const std::vector<bool> reduced = reduced_axes(lone.graph(), lone.node(), from.shape->rank());
  if (std::find(reduced.begin(), reduced.end(), true) == reduced.end()) return reshaped(from, lone.result());
  Integers kept = from.shape->extents();
  for (std::size_t i = 0; i < kept.size(); ++i)
    if (reduced[i]) kept[i] = 1;
  const Shape small(std::move(kept));
  std::vector<double> sums(static_cast<std::size_t>(small.elements()), op.start);
  const Integers strides = broadcast_strides(small, *from.shape);
  Odometer at(from.shape->extents());
  for (std::size_t i = 0; i < static_cast<std::size_t>(from.shape->elements()); ++i) {
    double& sum = sums[static_cast<std::size_t>(dot(at.index(), strides))];
    sum = op.join(sum, number_at(from, i));
    at.next();
  }
  const double share = op.mean && small.elements() > 0
                           ? static_cast<double>(from.shape->elements()) / static_cast<double>(small.elements())
                           : 1.0;
  if (from.integers) {
    Integers integers;
    for (const double sum : sums) {
      if (!(std::abs(sum / share) < 9e15)) throw ShapeError(fmt::format("{} overflows", in.node.op));
      integers.push_back(static_cast<std::int64_t>(sum / share));
    }
    return constant(lone.result(), std::move(integers));
  }
  Tensor tensor(lone.result());
  std::transform(sums.begin(), sums.end(), tensor.values.begin(),
                 [share](double sum) { return static_cast<float>(sum / share); });
  return constant(std::move(tensor));
}

}  // namespace

std::vector<FoldRule> arithmetic_rules() {
  std::vector<FoldRule> rules{{"Cast", fold_cast}, {"Where", fold_where}};
  for (const auto& [op, rule] : binaries()) rules.push_back({op, fold_elementwise});
  for (const auto& [op, rule] : unaries()) rules.push_back({op, fold_unary});
  for (const auto& [op, rule] : reductions()) rules.push_back({op, fold_reduce});
  return rules;
}

}  // namespace shiftnorm::graph
