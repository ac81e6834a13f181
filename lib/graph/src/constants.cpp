#include "shiftnorm/graph/constants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "constant_operands.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/graph/movement.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::graph {

const Value& Operands::at(std::size_t index) const {
  if (index >= inputs.size() || inputs[index] == nullptr)
    throw FormatError(fmt::format("input {} of {} is absent", index, node.op));
  return *inputs[index];
}

void Operands::spend(std::int64_t elements) const {
  for (const Value* value : inputs)
    if (value != nullptr && value->shape) elements -= value->shape->elements();
  if (elements <= 0) return;
  if (elements > budget.elements)
    throw UnsupportedError(fmt::format("{} makes a constant of {} more elements; the budget for constants has {} left",
                                       node.op, elements, budget.elements));
  budget.elements -= elements;
}

LoneNode::LoneNode(const Node& node, std::span<const Value* const> inputs) {
  std::vector<ValueId> ids;
  for (const Value* value : inputs) {
    ids.push_back(value == nullptr ? kNone : graph_.add_parameter(value->name, *value->shape));
    if (value != nullptr) graph_.value(ids.back()).integers = value->integers;
  }
  (void)graph_.add(node.op, node.name, std::move(ids), node.attributes);
  infer_node(graph_, graph_.nodes().front());
}

Value constant(Shape shape, Integers integers) {
  Value value;
  value.shape = std::move(shape);
  value.parameter = true;
  value.integers = std::move(integers);
  return value;
}

Value constant(Tensor tensor) {
  Value value;
  value.shape = tensor.shape;
  value.parameter = true;
  value.tensor = std::move(tensor);
  return value;
}

Value reshaped(const Value& from, Shape shape) {
  if (from.integers) return constant(std::move(shape), *from.integers);
  Tensor tensor = *from.tensor;
  tensor.shape = std::move(shape);
  return constant(std::move(tensor));
}

double number_at(const Value& value, std::size_t index) {
  return value.integers ? static_cast<double>(value.integers->at(index))
                        : static_cast<double>(value.tensor->values.at(index));
}

namespace {

Value moved(const Value& from, const Shape& shape, const Movement& movement) {
  if (from.integers) {
    Integers out(static_cast<std::size_t>(shape.elements()));
    move(movement, std::int64_t{0}, from.integers->data(), out.data());
    return constant(shape, std::move(out));
  }
  Tensor out(shape);
  move(movement, 0.0f, from.tensor->values.data(), out.values.data());
  return constant(std::move(out));
}

}  // namespace

Value expanded(const Value& from, const Shape& shape) {
  return *from.shape == shape ? from : moved(from, shape, expansion(*from.shape, shape));
}

namespace {

// What only moves elements, or not even that.

Value fold_view(const Operands& in, const LoneNode& lone) { return reshaped(in.at(0), lone.result()); }

Value fold_movement(const Operands& in, const LoneNode& lone) {
  return moved(in.at(0), lone.result(), movement_of(lone.graph(), lone.node(), in.shape(0), lone.result(), 0));
}

template <class T, class Elements>
void join(const Operands& in, std::size_t axis, Elements elements_of, T* dst) {
  std::vector<Block<T>> blocks;
  for (const Value* value : in.inputs) blocks.push_back({*value->shape, elements_of(*value).data()});
  concatenate<T>(blocks, axis, dst);
}

Value fold_concat(const Operands& in, const LoneNode& lone) {
  const bool floating = !in.at(0).integers;
  for (const Value* value : in.inputs)
    if (value == nullptr || value->integers.has_value() == floating)
      throw ShapeError("Concat of constants of different kinds");
  const Shape& shape = lone.result();
  const std::size_t axis = axis_of(in.node.integer("axis", 1), shape.rank());
  if (floating) {
    Tensor out(shape);
    join(
        in, axis, [](const Value& v) -> const auto& { return v.tensor->values; }, out.values.data());
    return constant(std::move(out));
  }
  Integers out(static_cast<std::size_t>(shape.elements()));
  join(
      in, axis, [](const Value& v) -> const auto& { return *v.integers; }, out.data());
  return constant(shape, std::move(out));
}

const std::map<std::string_view, Fold>& folds() {
  static const std::map<std::string_view, Fold> kFolds = [] {
    std::map<std::string_view, Fold> table{
        {"Concat", fold_concat}, {"Expand", fold_movement},    {"Flatten", fold_view},   {"Gather", fold_movement},
        {"Identity", fold_view}, {"Reshape", fold_view},       {"Slice", fold_movement}, {"Squeeze", fold_view},
        {"Tile", fold_movement}, {"Transpose", fold_movement}, {"Unsqueeze", fold_view}};
    for (const FoldRule& rule : arithmetic_rules()) table.emplace(rule.op, rule.fold);
    return table;
  }();
  return kFolds;
}

// Operators that no network is left with: those that ask for shapes, or make constants of their own.

Value fold_shape(const Operands& in) {
  const Shape& shape = in.shape(0);
  const auto rank = static_cast<std::int64_t>(shape.rank());
  const auto clamped = [rank](std::int64_t v) { return std::clamp<std::int64_t>(v < 0 ? v + rank : v, 0, rank); };
  const std::int64_t from = clamped(in.node.integer("start", 0)), to = clamped(in.node.integer("end", rank));
  Integers part;
  for (std::int64_t i = from; i < to; ++i) part.push_back(shape[static_cast<std::size_t>(i)]);
  const auto n = static_cast<std::int64_t>(part.size());
  return constant(Shape{n}, std::move(part));
}

Value fold_size(const Operands& in) { return constant(Shape{}, Integers{in.shape(0).elements()}); }

Value fold_constant_of_shape(const Operands& in) {
  if (!in.at(0).integers) throw FormatError("input 0 of ConstantOfShape holds no integers");
  const Shape shape(*in.at(0).integers);
  in.spend(shape.elements());
  const auto it = in.node.attributes.find("value");
  if (it != in.node.attributes.end() && std::holds_alternative<std::int64_t>(it->second))
    return constant(shape, Integers(static_cast<std::size_t>(shape.elements()), std::get<std::int64_t>(it->second)));
  Tensor tensor(shape);
  std::fill(tensor.values.begin(), tensor.values.end(), in.node.number("value", 0.0f));
  return constant(std::move(tensor));
}

Value fold_range(const Operands& in) {
  for (std::size_t i = 0; i < 3; ++i)
    if (in.shape(i).elements() != 1) throw ShapeError("Range with an operand that is not a scalar");
  const double start = number_at(in.at(0), 0), limit = number_at(in.at(1), 0), delta = number_at(in.at(2), 0);
  const double count = std::max(std::ceil((limit - start) / delta), 0.0);
  if (delta == 0 || !(count < 1e15)) throw ShapeError(fmt::format("Range from {} to {} by {}", start, limit, delta));
  const auto n = static_cast<std::int64_t>(count);
  in.spend(n);
  if (in.at(0).integers) {
    Integers out;
    for (std::int64_t i = 0; i < n; ++i) out.push_back((*in.at(0).integers)[0] + i * (*in.at(2).integers).at(0));
    return constant(Shape{n}, std::move(out));
  }
  Tensor out(Shape{n});
  for (std::int64_t i = 0; i < n; ++i)
    out.values[static_cast<std::size_t>(i)] = static_cast<float>(start + static_cast<double>(i) * delta);
  return constant(std::move(out));
}

using Make = Value (*)(const Operands&);
const std::map<std::string_view, Make>& makers() {
  static const std::map<std::string_view, Make> kMakers{
      {"ConstantOfShape", fold_constant_of_shape}, {"Range", fold_range}, {"Shape", fold_shape}, {"Size", fold_size}};
  return kMakers;
}

bool asks_for_shape(std::string_view op) { return op == "Shape" || op == "Size"; }

bool known(const Value& value) { return value.parameter && value.shape && (value.tensor || value.integers); }

}  // namespace

bool foldable(std::string_view op) { return folds().contains(op) || makers().contains(op); }

std::optional<Value> constant_of(const Node& node, std::span<const Value* const> inputs, FoldBudget& budget) {
  if (!foldable(node.op) || inputs.empty() || inputs.front() == nullptr) return std::nullopt;
  const bool shapes = asks_for_shape(node.op);
  for (const Value* value : inputs)
    if (value != nullptr && !(shapes ? value->shape.has_value() : known(*value))) return std::nullopt;
  const Operands operands{node, inputs, budget};
  if (const auto maker = makers().find(node.op); maker != makers().end()) return maker->second(operands);
  const LoneNode lone(node, inputs);
  operands.spend(lone.result().elements());
  return folds().at(node.op)(operands, lone);
}

}  // namespace shiftnorm::graph
