#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "elementwise.hpp"
#include "kernel_choice.hpp"
#include "lowering.hpp"
#include "unary_functions.hpp"

namespace shiftnorm::exec {
namespace {

using graph::ValueId;

/// Functions of one element that vector kernels know, with the constants that unary_functions() gives them.
struct VectorFunction {
  std::string_view op;
  Unary function;
};
constexpr std::array kVectors{VectorFunction{"Elu", Unary::elu},
                              VectorFunction{"Exp", Unary::exp},
                              VectorFunction{"HardSigmoid", Unary::hard_sigmoid},
                              VectorFunction{"HardSwish", Unary::hard_swish},
                              VectorFunction{"LeakyRelu", Unary::leaky_relu},
                              VectorFunction{"Mish", Unary::mish},
                              VectorFunction{"Selu", Unary::elu},
                              VectorFunction{"Sigmoid", Unary::sigmoid},
                              VectorFunction{"Tanh", Unary::tanh}};

/// An activation and what it is applied to.
struct Applied {
  ValueId to;
  Activation f;
};

std::optional<Applied> applied(const Lowering& node) {
  const std::string_view op = node.node().op;
  if (op == "Mul") {
    if (node.swish(node.input(0))) return Applied{node.input(1), {Unary::swish}};
    if (node.swish(node.input(1))) return Applied{node.input(0), {Unary::swish}};
    return std::nullopt;
  }
  if (op == "Clip") {
    const Tensor *low = node.optional_parameter(1), *high = node.optional_parameter(2);
    return Applied{node.input(),
                   {Unary::clip, low != nullptr ? low->values.at(0) : std::numeric_limits<float>::lowest(),
                    high != nullptr ? high->values.at(0) : std::numeric_limits<float>::max()}};
  }
  const auto* const known =
      std::find_if(kVectors.begin(), kVectors.end(), [op](const VectorFunction& v) { return v.op == op; });
  if (known == kVectors.end()) return std::nullopt;
  const UnaryFunction& f = *find_unary_function(op);
  const double b = f.b.key.empty() ? 1.0 : parameter_of(node.node(), f.b);
  return Applied{node.input(),
                 {known->function, static_cast<float>(parameter_of(node.node(), f.a)), static_cast<float>(b)}};
}

/// One value for every channel of an activation of this shape, if a constant comes to that.
std::optional<std::vector<float>> per_channel(const Lowering& node, ValueId id, const Shape& wide) {
  const Tensor& values = node.parameter(id);
  const Layout layout = layout_of(wide, 1);
  const auto channels = static_cast<std::size_t>(layout.channels);
  if (values.shape.rank() > wide.rank()) return std::nullopt;
  if (values.shape.elements() == 1) return std::vector<float>(channels, values.values[0]);
  const std::size_t skipped = wide.rank() - values.shape.rank();
  if (skipped > 1 || wide[0] != 1 || values.shape[1 - skipped] != wide[1] || values.shape.elements() != wide[1])
    return std::nullopt;
  return std::vector<float>(values.values.begin(), values.values.end());
}

/// The operands of a Mul, that of the result's shape first.
std::array<ValueId, 2> factors(const Lowering& node) {
  const ValueId a = node.input(0), b = node.input(1);
  return node.shape(a) == node.shape(node.output()) ? std::array{a, b} : std::array{b, a};
}

bool give_in_place_of(Lowering& node, ValueIndex x, std::unique_ptr<Kernel> kernel) {
  node.give(node.emit({x}, node.shape(node.output()), node.block_of(x), std::move(kernel)));
  return true;
}

}  // namespace

bool make_normalisation(Lowering& node) {
  node.normalise();
  return true;
}

bool sum_fits(const Lowering& node) {
  const ValueId a = node.input(0), b = node.input(1);
  return node.activation(a) && node.activation(b) && node.shape(a) == node.shape(b);
}

bool make_sum(Lowering& node) {
  node.add();
  return true;
}

bool make_relu(Lowering& node) {
  node.rectify();
  return true;
}

bool is_taken_in(const Lowering& node) { return node.swish(node.output()); }
bool make_nothing(Lowering& /*node*/) { return true; }

/// In the same pass as a sum that is still open.
bool joins_open_sum(const Lowering& node) {
  const std::optional<Applied> found = applied(node);
  return found && node.open_sum(found->to);
}

bool make_joined(Lowering& node) {
  const Applied found = applied(node).value();
  node.activate(found.to, found.f);
  return true;
}

bool is_vector_function(const Lowering& node) { return applied(node).has_value(); }

bool make_vector_function(Lowering& node) {
  const Applied found = applied(node).value();
  const ValueIndex x = node.materialise(found.to);
  return give_in_place_of(node, x, compile_unary(found.f.op, found.f.a, found.f.b, node.layout(x)));
}

bool is_function(const Lowering& node) { return find_unary_function(node.node().op) != nullptr; }

bool make_function(Lowering& node) {
  const UnaryFunction& f = *find_unary_function(node.node().op);
  const ValueIndex x = node.materialise(node.input());
  return give_in_place_of(
      node, x, compile_unary(f.of, parameter_of(node.node(), f.a), parameter_of(node.node(), f.b), node.layout(x)));
}

bool product_fits(const Lowering& node) {
  const auto [a, b] = factors(node);
  return node.activation(a) && node.activation(b) && node.shape(a) == node.shape(b);
}

bool make_product(Lowering& node) {
  const auto [a, b] = factors(node);
  const ValueIndex x = node.materialise(a), y = node.materialise(b);
  const std::int64_t block = std::max(node.block_of(x), node.block_of(y));
  const Shape& shape = node.shape(node.output());
  node.give(node.emit({node.as_block(x, block), node.as_block(y, block)}, shape, block,
                      compile_product(layout_of(shape, block))));
  return true;
}

/// A factor for each channel (squeeze-and-excitation).
bool channel_product_fits(const Lowering& node) {
  const auto [a, b] = factors(node);
  if (!node.activation(a) || !node.activation(b)) return false;
  const Shape &wide = node.shape(a), &narrow = node.shape(b);
  return narrow.rank() == wide.rank() && wide.rank() > 2 && narrow[1] == wide[1] && narrow[0] == 1 &&
         narrow.elements_from(2) == 1 && wide == node.shape(node.output());
}

bool make_channel_product(Lowering& node) {
  const auto [a, b] = factors(node);
  const ValueIndex x = node.materialise(a), y = node.materialise(b);
  const std::int64_t block = std::max(node.block_of(x), node.block_of(y));
  const Shape& shape = node.shape(node.output());
  const ValueIndex product = node.emit({node.as_block(x, block), node.as_block(y, block)}, shape, block,
                                       compile_channel_product(layout_of(shape, block)));
  node.give(product);
  node.may_gate(product);
  return true;
}

/// Add, Sub, Mul and Div by a constant for each channel.
bool channel_affine_fits(const Lowering& node) {
  const bool first = node.activation(node.input(0));
  const ValueId x = node.input(first ? 0 : 1), other = node.input(first ? 1 : 0);
  if (node.activation(other) || node.shape(x) != node.shape(node.output()) || (node.node().op == "Div" && !first))
    return false;
  return per_channel(node, other, node.shape(x)).has_value();
}

bool make_channel_affine(Lowering& node) {
  const bool first = node.activation(node.input(0));
  const ValueId id = node.input(first ? 0 : 1), other = node.input(first ? 1 : 0);
  const bool div = node.node().op == "Div", sub = node.node().op == "Sub";
  std::vector<float> values = per_channel(node, other, node.shape(id)).value();
  std::vector<float> scale(values.size(), sub && !first ? -1.0f : 1.0f), shift(values.size(), 0.0f);
  if (div)
    for (float& v : values) v = 1.0f / v;
  if (sub && first)
    for (float& v : values) v = -v;
  (div || node.node().op == "Mul" ? scale : shift) = values;
  const ValueIndex x = node.materialise(id);
  return give_in_place_of(node, x, compile_channel_affine(scale, shift, node.layout(x)));
}

bool prelu_fits(const Lowering& node) {
  return !node.activation(node.input(1)) && per_channel(node, node.input(1), node.shape(node.input())).has_value();
}

bool make_prelu(Lowering& node) {
  const std::vector<float> slope = per_channel(node, node.input(1), node.shape(node.input())).value();
  const ValueIndex x = node.materialise(node.input());
  return give_in_place_of(node, x, compile_channel_prelu(slope, node.layout(x)));
}

}  // namespace shiftnorm::exec
