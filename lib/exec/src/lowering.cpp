#include "lowering.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <dnnl.hpp>

#include "copy_kernels.hpp"
#include "kernel_choice.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::exec {

using graph::Node;
using graph::ValueId;

Lowering::Lowering(const graph::Graph& graph, const std::vector<graph::BatchNorm>& sets, Program& program)
    : graph_(graph), program_(program), set_of_(graph.nodes().size()), uses_(graph.values(), 0) {
  program.measured.resize(sets.size());
  for (const SetIndex set : program.measured.indices())
    for (const std::size_t n : sets[set.number()].nodes) set_of_[n] = set;
  for (const Node& node : graph.nodes())
    for (const ValueId id : node.inputs)
      if (id != graph::kNone) ++uses_[static_cast<std::size_t>(id)];
  for (const ValueId id : graph.outputs()) uses_[static_cast<std::size_t>(id)] += 2;  // an output is always written
  find_swishes();
}

void Lowering::run() {
  const Shape& image = shape(graph_.input());
  value_of_[graph_.input()] = program_.values.push_back({layout_of(image, 1), image, {}});
  for (index_ = 0; index_ < graph_.nodes().size(); ++index_) {
    node_ = &graph_.nodes()[index_];
    try {
      if (fold_constant()) continue;
      first_that_fits(*this, [this](std::string_view name) { choice_ = name; });
    } catch (const dnnl::error& e) {
      throw UnsupportedError(fmt::format("node '{}': oneDNN has no kernel for {} on {}: {}", node_->name, node_->op,
                                         shape(input()).text(), e.what()));
    } catch (const Error&) {
      rethrow_at(fmt::format("node '{}'", node_->name));
    }
  }
  for (const ValueId id : graph_.outputs()) program_.outputs.push_back(written_output(id));
  fuse(program_, fusible_);
}

/// A node that no image reaches is worked out now.
bool Lowering::fold_constant() {
  if (std::any_of(node_->inputs.begin(), node_->inputs.end(), [this](ValueId id) { return activation(id); }))
    return false;
  if (set().exists())
    throw UnsupportedError(
        "BatchNormalization of a value that does not depend on the image; there is nothing to measure");
  for (std::size_t k = 0; k < node_->outputs.size(); ++k)
    if (wanted(k)) folded_[node_->outputs[k]] = fold(graph_, *node_, folded_, k);
  return true;
}

void Lowering::find_swishes() {
  std::map<ValueId, ValueId> sigmoids;  // result to argument
  for (const Node& node : graph_.nodes()) {
    if (node.op == "Sigmoid" && uses(node.outputs[0]) == 1) sigmoids[node.outputs[0]] = node.inputs[0];
    if (node.op != "Mul") continue;
    for (const std::size_t k : {0, 1}) {
      const auto sigmoid = sigmoids.find(node.inputs[k]);
      if (sigmoid == sigmoids.end() || sigmoid->second != node.inputs[1 - k]) continue;
      swishes_.insert(sigmoid->first);
      --uses_[static_cast<std::size_t>(sigmoid->second)];
      break;
    }
  }
}

bool Lowering::wanted(std::size_t k) const { return node_->outputs[k] != graph::kNone && uses(node_->outputs[k]) > 0; }

ValueIndex Lowering::written_output(ValueId id) {
  if (activation(id)) return as_block(materialise(id), 1);
  const Tensor& values = parameter(id);
  return append({graph_.value(id).name, "Constant", {}, {}, {}, "constant", {}, compile_constant(values)}, values.shape,
                1);
}

const Tensor* Lowering::constant(ValueId id) const {
  const auto known = folded_.find(id);
  if (known != folded_.end()) return &known->second;
  const graph::Value& value = graph_.value(id);
  return value.tensor ? &*value.tensor : nullptr;
}

const Tensor& Lowering::parameter(ValueId id) const {
  const Tensor* values = constant(id);
  if (values == nullptr)
    throw UnsupportedError(
        fmt::format("'{}' is computed at run time; expected a parameter with values", graph_.value(id).name));
  return *values;
}

const Tensor* Lowering::optional_parameter(std::size_t index) const {
  return graph::has_input(*node_, index) ? &parameter(node_->inputs[index]) : nullptr;
}

bool Lowering::activation(ValueId id) const {
  return id != graph::kNone && !graph_.value(id).parameter && !folded_.contains(id);
}

ValueIndex Lowering::append(ProgramStep step, const Shape& shape, std::int64_t block) {
  const ValueIndex value = program_.values.push_back({layout_of(shape, block), shape, program_.steps.next()});
  step.dst = value;
  program_.steps.push_back(std::move(step));
  return value;
}

ValueIndex Lowering::emit(std::vector<ValueIndex> src, const Shape& shape, std::int64_t block,
                          std::unique_ptr<Kernel> kernel) {
  return emit(choice_, std::move(src), shape, block, std::move(kernel));
}

ValueIndex Lowering::emit(std::string_view kernel_name, std::vector<ValueIndex> src, const Shape& shape,
                          std::int64_t block, std::unique_ptr<Kernel> kernel, std::string form) {
  return append({node_->name, node_->op, std::move(src), {}, {}, kernel_name, std::move(form), std::move(kernel)},
                shape, block);
}

ValueIndex Lowering::as_block(ValueIndex value, std::int64_t block) {
  if (block_of(value) == block) return value;
  const auto [it, fresh] = reordered_.try_emplace({value, block});
  if (fresh) {
    const Shape shape = program_.values[value].shape;
    it->second = append({node_->name + " (reorder)",
                         "Reorder",
                         {value},
                         {},
                         {},
                         "reorder",
                         {},
                         compile_reorder(layout(value), layout_of(shape, block))},
                        shape, block);
  }
  return it->second;
}

ValueIndex Lowering::materialise(ValueId id) {
  if (pending_.contains(id)) value_of_[id] = write(take_open(id), shape(id));
  return value_of_.at(id);
}

Lowering::Pending Lowering::take_open(ValueId id) { return std::move(pending_.extract(id).mapped()); }

/// A sum of one term that is the value itself, or the open one that the value is.
Lowering::Pending Lowering::open(ValueId id) {
  if (open_sum(id)) return take_open(id);
  Pending p;
  p.src[0] = materialise(id);
  return p;
}

bool Lowering::open_sum(ValueId id) const {
  const auto waiting = pending_.find(id);
  return waiting != pending_.end() && !waiting->second.terms.activated();
}

void Lowering::joined(Pending& p, std::string_view earlier) const {
  p.name = node_->name;
  p.ops = p.ops.empty() ? std::string(earlier) : p.ops;
  p.ops += (p.ops.empty() ? "" : "+") + node_->op;
}

ValueIndex Lowering::write(const Pending& p, const Shape& shape) {
  ProgramStep step{p.name, p.ops, {p.src.begin(), p.src.begin() + p.terms.terms}, {}, {}, "normalise", {}, {}};
  std::int64_t block = 1;
  for (const ValueIndex value : step.src) block = std::max(block, block_of(value));
  for (ValueIndex& value : step.src) value = as_block(value, block);
  for (std::size_t t = 0; t < step.src.size(); ++t)
    if (p.terms.set[t].exists()) step.sets.push_back(p.terms.set[t]);
  step.kernel = compile_normalise(p.terms, layout_of(shape, block));
  fusible_.normalisations.emplace_back(program_.steps.next(), p.terms);
  return append(std::move(step), shape, block);
}

/// A sum stays open if exactly one consumer follows, otherwise it is written now.
void Lowering::leave_open(Pending p) {
  if (uses(output()) == 1)
    pending_.emplace(output(), std::move(p));
  else
    give(write(p, shape(output())));
}

void Lowering::normalise() {
  const ValueIndex x = materialise(input());
  program_.measured[set()].push_back(x);
  Pending p;
  p.terms.set[0] = set();
  p.src[0] = x;
  joined(p);
  leave_open(std::move(p));
}

void Lowering::add() {
  const ValueId a = input(0), b = input(1);
  Pending sum;
  sum.terms.terms = 2;
  std::string earlier;
  for (std::size_t t = 0; t < 2; ++t) {
    const ValueId id = t == 0 ? a : b;
    const auto waiting = pending_.find(id);
    if (a != b && waiting != pending_.end() && waiting->second.terms.terms == 1) {
      const Pending term = take_open(id);
      sum.terms.set[t] = term.terms.set[0];
      sum.src[t] = term.src[0];
      earlier += (earlier.empty() ? "" : "+") + term.ops;
    } else {
      sum.src[t] = materialise(id);
    }
  }
  joined(sum, earlier);
  leave_open(std::move(sum));
}

void Lowering::rectify() {
  Pending p = open(input());
  p.terms.relu = true;
  joined(p);
  give(write(p, shape(output())));
}

void Lowering::activate(ValueId from, const Activation& f) {
  Pending p = take_open(from);
  p.terms.activation = f;
  joined(p);
  give(write(p, shape(output())));
}

void Lowering::by_plain_loops(std::size_t k) {
  std::vector<ValueIndex> src;
  for (const ValueId id : node_->inputs)
    if (activation(id)) src.push_back(as_block(materialise(id), 1));
  const ValueId to = node_->outputs[k];
  give(to, emit(kPlainLoops, std::move(src), shape(to), 1, compile_reference(graph_, *node_, folded_, k)));
}

}  // namespace shiftnorm::exec
