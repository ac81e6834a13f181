#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <dnnl.hpp>
#include <limits>
#include <map>

#include "convolution.hpp"
#include "copy_kernels.hpp"
#include "elementwise.hpp"
#include "matrix_vector.hpp"
#include "normalise.hpp"
#include "pooling.hpp"
#include "program.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/exec/instruction_set.hpp"
#include "shiftnorm/exec/plan.hpp"
#include "shiftnorm/exec/reference.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::exec {
namespace {

using graph::Node;
using graph::ValueId;

/// Runs an operator form that has no fast kernel through its plain loops.
class ReferenceKernel final : public Kernel {
 public:
  /// The graph must outlive nothing: constants are copied here.
  ReferenceKernel(const graph::Graph& graph, const Node& node)
      : graph_(graph), node_(node), op_(reference_operator(node.op)) {
    shape_ = *graph.value(node.outputs.front()).shape;
    for (const ValueId id : node.inputs) {
      TensorView view;
      bool activation = false;
      if (id != graph::kNone) {
        const graph::Value& value = graph_.value(id);
        view.shape = *value.shape;
        activation = !value.parameter;
        if (value.parameter && value.tensor) view.data = value.tensor->values.data();
      }
      inputs_.push_back(view);
      activation_.push_back(activation);
    }
  }
  void run(const KernelArguments& a) const override {
    std::vector<TensorView> in = inputs_;
    std::size_t next = 0;
    for (std::size_t i = 0; i < in.size(); ++i)
      if (activation_[i]) in[i].data = a.src[next++];
    op_.run(graph_, node_, in, shape_, a.dst);
  }

 private:
  graph::Graph graph_;
  Node node_;
  const ReferenceOp& op_;
  Shape shape_;
  std::vector<TensorView> inputs_;
  std::vector<bool> activation_;
};

/// A copy of what one node needs of its graph: its constants, with everything else left out.
graph::Graph constants_of(const graph::Graph& graph, const Node& node) {
  graph::Graph small;
  for (std::size_t i = 0; i < graph.values(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const bool used = std::find(node.inputs.begin(), node.inputs.end(), id) != node.inputs.end() ||
                      std::find(node.outputs.begin(), node.outputs.end(), id) != node.outputs.end();
    const ValueId copy = small.add_parameter("", Shape{0});
    if (used) small.value(copy) = graph.value(id);
  }
  return small;
}

class Lowering {
 public:
  Lowering(const graph::Graph& graph, const std::vector<graph::BatchNorm>& sets, Program& program)
      : graph_(graph), program_(program) {
    set_of_.assign(graph.nodes().size(), -1);
    for (std::size_t s = 0; s < sets.size(); ++s)
      for (const std::size_t n : sets[s].nodes) set_of_[n] = static_cast<int>(s);
    uses_.assign(graph.values(), 0);
    for (const Node& node : graph.nodes())
      for (const ValueId id : node.inputs)
        if (id != graph::kNone) ++uses_[static_cast<std::size_t>(id)];
    for (const ValueId id : graph.outputs()) uses_[static_cast<std::size_t>(id)] += 2;  // an output is always written
    program.measured.resize(sets.size());
  }

  void run() {
    const Shape& input = *graph_.value(graph_.input()).shape;
    program_.values.push_back({layout_of(input, 1), input, -1});
    value_of_[graph_.input()] = 0;
    for (std::size_t n = 0; n < graph_.nodes().size(); ++n) {
      node_ = &graph_.nodes()[n];
      index_ = n;
      try {
        lower();
      } catch (const dnnl::error& e) {
        throw UnsupportedError(fmt::format("node '{}': oneDNN has no kernel for {} on {}: {}", node_->name, node_->op,
                                           shape(node_->inputs[0]).text(), e.what()));
      } catch (const Error&) {
        rethrow_at(fmt::format("node '{}'", node_->name));
      }
    }
    for (const ValueId id : graph_.outputs()) program_.outputs.push_back(as_block(materialise(id), 1));
  }

 private:
  /// A sum of up to two terms that has not been written yet: its consumer may still join in.
  struct Pending {
    NormaliseTerms terms;
    std::array<int, 2> src{-1, -1};
  };
  using Lower = void (Lowering::*)();

  void lower() {
    static const std::map<std::string_view, Lower> kLower{{"Add", &Lowering::lower_add},
                                                          {"AveragePool", &Lowering::lower_pool},
                                                          {"BatchNormalization", &Lowering::lower_batch_norm},
                                                          {"Clip", &Lowering::lower_clip},
                                                          {"Concat", &Lowering::lower_concat},
                                                          {"Conv", &Lowering::lower_conv},
                                                          {"Dropout", &Lowering::lower_alias},
                                                          {"Flatten", &Lowering::lower_flatten},
                                                          {"Gather", &Lowering::lower_gather},
                                                          {"Gemm", &Lowering::lower_gemm},
                                                          {"GlobalAveragePool", &Lowering::lower_global_average},
                                                          {"HardSigmoid", &Lowering::lower_hard_sigmoid},
                                                          {"HardSwish", &Lowering::lower_hard_swish},
                                                          {"Identity", &Lowering::lower_alias},
                                                          {"MaxPool", &Lowering::lower_pool},
                                                          {"Mul", &Lowering::lower_mul},
                                                          {"Pad", &Lowering::lower_pad},
                                                          {"Relu", &Lowering::lower_relu},
                                                          {"Sigmoid", &Lowering::lower_sigmoid},
                                                          {"Slice", &Lowering::lower_slice}};
    const auto it = kLower.find(node_->op);
    if (it == kLower.end()) return lower_reference();
    (this->*it->second)();
  }

  [[nodiscard]] ValueId output() const { return node_->outputs.front(); }
  [[nodiscard]] const Shape& shape(ValueId id) const { return *graph_.value(id).shape; }
  [[nodiscard]] const Tensor& parameter(ValueId id) const {
    const graph::Value& value = graph_.value(id);
    if (!value.tensor)
      throw UnsupportedError(fmt::format("'{}' is computed at run time; expected a parameter with values", value.name));
    return *value.tensor;
  }
  [[nodiscard]] const Tensor* optional_parameter(std::size_t index) const {
    return index < node_->inputs.size() && node_->inputs[index] != graph::kNone ? &parameter(node_->inputs[index])
                                                                                : nullptr;
  }
  [[nodiscard]] bool activation(ValueId id) const { return id != graph::kNone && !graph_.value(id).parameter; }

  /// Adds a step that writes a new value, and returns the value.
  int emit(std::string name, std::vector<int> src, const Shape& shape, std::int64_t block,
           std::unique_ptr<Kernel> kernel, std::vector<int> sets = {}) {
    const auto value = static_cast<int>(program_.values.size());
    program_.values.push_back({layout_of(shape, block), shape, static_cast<int>(program_.steps.size())});
    program_.steps.push_back({std::move(name), std::move(src), value, std::move(sets), std::move(kernel)});
    return value;
  }

  int as_block(int value, std::int64_t block) {
    const ProgramValue& v = program_.values[static_cast<std::size_t>(value)];
    if (v.layout.block == block) return value;
    const auto [it, fresh] = reordered_.try_emplace({value, block}, -1);
    if (fresh) {
      const Layout to = layout_of(v.shape, block);
      const Shape shape = v.shape;
      it->second = emit(node_->name + " (reorder)", {value}, shape, block, compile_reorder(v.layout, to));
    }
    return it->second;
  }

  [[nodiscard]] std::int64_t block_of(int value) const {
    return program_.values[static_cast<std::size_t>(value)].layout.block;
  }

  /// The program's value of a graph value, written out if it was still pending.
  int materialise(ValueId id) {
    const auto waiting = pending_.find(id);
    if (waiting != pending_.end()) {
      const Pending p = waiting->second;
      pending_.erase(waiting);
      value_of_[id] = write(p, shape(id));
    }
    return value_of_.at(id);
  }

  int write(const Pending& p, const Shape& shape) {
    std::vector<int> src(p.src.begin(), p.src.begin() + p.terms.terms), sets;
    std::int64_t block = 1;
    for (const int value : src) block = std::max(block, block_of(value));
    for (int& value : src) value = as_block(value, block);
    for (int t = 0; t < p.terms.terms; ++t)
      if (p.terms.set[static_cast<std::size_t>(t)] >= 0) sets.push_back(p.terms.set[static_cast<std::size_t>(t)]);
    return emit(node_->name, std::move(src), shape, block, compile_normalise(p.terms, layout_of(shape, block)),
                std::move(sets));
  }

  /// Leaves a sum open if exactly one consumer follows, otherwise writes it now.
  void settle(const Pending& p) {
    if (uses_[static_cast<std::size_t>(output())] == 1) {
      pending_[output()] = p;
    } else {
      value_of_[output()] = write(p, shape(output()));
    }
  }

  void lower_batch_norm() {
    const int x = materialise(node_->inputs[0]);
    program_.measured[static_cast<std::size_t>(set_of_[index_])].push_back(x);
    settle({{{set_of_[index_], -1}, 1, false}, {x, -1}});
  }

  void lower_relu() {
    const auto waiting = pending_.find(node_->inputs[0]);
    Pending p{{{-1, -1}, 1, false}, {-1, -1}};
    if (waiting != pending_.end() && !waiting->second.terms.relu) {
      p = waiting->second;
      pending_.erase(waiting);
    } else {
      p.src[0] = materialise(node_->inputs[0]);
    }
    p.terms.relu = true;
    value_of_[output()] = write(p, shape(output()));
  }

  void lower_add() {
    const ValueId a = node_->inputs[0], b = node_->inputs[1];
    if (!activation(a) || !activation(b) || shape(a) != shape(b) || shape(a).rank() < 2) return lower_reference();
    Pending sum{{{-1, -1}, 2, false}, {-1, -1}};
    for (std::size_t t = 0; t < 2; ++t) {
      const ValueId id = t == 0 ? a : b;
      const auto waiting = pending_.find(id);
      if (a != b && waiting != pending_.end() && waiting->second.terms.terms == 1) {
        sum.terms.set[t] = waiting->second.terms.set[0];
        sum.src[t] = waiting->second.src[0];
        pending_.erase(waiting);
      } else {
        sum.src[t] = materialise(id);
      }
    }
    settle(sum);
  }

  void lower_conv() {
    const int x = materialise(node_->inputs[0]);
    const Tensor& weights = parameter(node_->inputs[1]);
    ConvolutionShape s{shape(node_->inputs[0]), shape(output()), {}, node_->integer("group", 1)};
    const std::vector<std::int64_t> kernel(weights.shape.extents().begin() + 2, weights.shape.extents().end());
    const std::vector<std::int64_t> spatial(s.src.extents().begin() + 2, s.src.extents().end());
    s.window = graph::window_of(*node_, kernel, spatial);
    CompiledConvolution c = compile_convolution(s, weights, optional_parameter(2), program_.block, block_of(x) == 1);
    value_of_[output()] = emit(node_->name, {as_block(x, c.plain_source ? 1 : program_.block)}, s.dst, program_.block,
                               std::move(c.kernel));
  }

  void lower_pool() {
    const ValueId x = node_->inputs[0];
    const std::vector<std::int64_t> spatial(shape(x).extents().begin() + 2, shape(x).extents().end());
    const graph::Window window = graph::window_of(*node_, node_->integers("kernel_shape", {}), spatial);
    if (shape(x).rank() > 5) return lower_reference();
    auto kernel = compile_pooling(node_->op == "MaxPool", shape(x), shape(output()), window, program_.block);
    if (!kernel) return lower_reference();
    value_of_[output()] = emit(node_->name, {as_block(materialise(x), program_.block)}, shape(output()), program_.block,
                               std::move(kernel));
  }

  void lower_global_average() {
    const int x = materialise(node_->inputs[0]);
    const std::int64_t block = block_of(x);
    value_of_[output()] = emit(node_->name, {x}, shape(output()), block,
                               compile_global_average(layout_of(shape(node_->inputs[0]), block)));
  }

  void lower_flatten() {
    const int x = as_block(materialise(node_->inputs[0]), 1);
    value_of_[output()] = emit(node_->name, {x}, shape(output()), 1, compile_copy(shape(output()).elements()));
  }

  void lower_gemm() {
    const int x = as_block(materialise(node_->inputs[0]), 1);
    auto kernel =
        compile_matrix_vector(parameter(node_->inputs[1]), node_->integer("transB", 0) != 0, optional_parameter(2),
                              node_->number("alpha", 1.0f), node_->number("beta", 1.0f));
    value_of_[output()] = emit(node_->name, {x}, shape(output()), 1, std::move(kernel));
  }

  void lower_slice() {
    const int x = materialise(node_->inputs[0]);
    value_of_[output()] = emit(node_->name, {x}, shape(output()), block_of(x),
                               compile_slice(shape(node_->inputs[0]), shape(output()),
                                             graph::slice_axes(graph_, *node_, shape(node_->inputs[0])), block_of(x)));
  }

  void lower_pad() {
    const int x = materialise(node_->inputs[0]);
    std::vector<std::int64_t> pads = graph::constant_input(graph_, *node_, 1, {});
    pads.resize(pads.size() / 2);
    const Tensor* fill = optional_parameter(2);
    value_of_[output()] = emit(node_->name, {x}, shape(output()), block_of(x),
                               compile_pad(shape(node_->inputs[0]), shape(output()), std::move(pads),
                                           fill != nullptr ? fill->values.at(0) : 0.0f, block_of(x)));
  }

  void lower_concat() {
    std::vector<int> src;
    std::int64_t block = 1;
    for (const ValueId id : node_->inputs) {
      if (!activation(id) || node_->integer("axis", 1) != 1) return lower_reference();
      src.push_back(materialise(id));
      block = std::max(block, block_of(src.back()));
    }
    std::vector<Layout> layouts;
    for (int& value : src) {
      value = as_block(value, block);
      layouts.push_back(program_.values[static_cast<std::size_t>(value)].layout);
    }
    value_of_[output()] =
        emit(node_->name, std::move(src), shape(output()), block, compile_channel_concat(std::move(layouts)));
  }

  void lower_gather() {
    const int x = materialise(node_->inputs[0]);
    value_of_[output()] =
        emit(node_->name, {x}, shape(output()), block_of(x),
             compile_gather(shape(node_->inputs[0]), graph::constant_input(graph_, *node_, 1, {}), block_of(x)));
  }

  void lower_unary(Unary op, float a = 0, float b = 0) {
    const int x = materialise(node_->inputs[0]);
    const Layout layout = program_.values[static_cast<std::size_t>(x)].layout;
    value_of_[output()] = emit(node_->name, {x}, shape(output()), layout.block, compile_unary(op, a, b, layout));
  }
  void lower_clip() {
    const Tensor *low = optional_parameter(1), *high = optional_parameter(2);
    lower_unary(Unary::clip, low != nullptr ? low->values.at(0) : std::numeric_limits<float>::lowest(),
                high != nullptr ? high->values.at(0) : std::numeric_limits<float>::max());
  }
  void lower_hard_sigmoid() {
    lower_unary(Unary::hard_sigmoid, node_->number("alpha", 0.2f), node_->number("beta", 0.5f));
  }
  void lower_hard_swish() { lower_unary(Unary::hard_swish); }
  void lower_sigmoid() { lower_unary(Unary::sigmoid); }

  /// Equal shapes, or a factor for each channel (squeeze-and-excitation).
  void lower_mul() {
    ValueId a = node_->inputs[0], b = node_->inputs[1];
    if (!activation(a) || !activation(b)) return lower_reference();
    if (shape(a) != shape(output())) std::swap(a, b);
    const Shape &wide = shape(a), &narrow = shape(b);
    const bool same = wide == narrow;
    const bool per_channel = narrow.rank() == wide.rank() && wide.rank() > 2 && narrow[1] == wide[1] &&
                             narrow.elements_from(2) == 1 && wide == shape(output());
    if (!same && !per_channel) return lower_reference();
    const int x = materialise(a), y = materialise(b);
    const std::int64_t block = std::max(block_of(x), block_of(y));
    const Layout layout = layout_of(shape(output()), block);
    value_of_[output()] = emit(node_->name, {as_block(x, block), as_block(y, block)}, shape(output()), block,
                               same ? compile_product(layout) : compile_channel_product(layout));
  }

  void lower_alias() { value_of_[output()] = materialise(node_->inputs[0]); }

  void lower_reference() {
    std::vector<int> src;
    for (const ValueId id : node_->inputs)
      if (activation(id)) src.push_back(as_block(materialise(id), 1));
    value_of_[output()] = emit(node_->name, std::move(src), shape(output()), 1,
                               std::make_unique<ReferenceKernel>(constants_of(graph_, *node_), *node_));
  }

  const graph::Graph& graph_;
  Program& program_;
  const Node* node_ = nullptr;
  std::size_t index_ = 0;
  std::vector<int> set_of_;
  std::vector<int> uses_;
  std::map<ValueId, int> value_of_;
  std::map<ValueId, Pending> pending_;
  std::map<std::pair<int, std::int64_t>, int> reordered_;
};

}  // namespace

Plan::Plan(const graph::Graph& graph) : Plan(graph, graph::batch_norms(graph)) {}

Plan::Plan(const graph::Graph& graph, std::vector<graph::BatchNorm> sets)
    : sets_(std::move(sets)), program_(std::make_unique<Program>()) {
  // oneDNN fixes the size of a primitive's thread team when it is created; workers run single-threaded kernels.
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  program_->block = channel_block();
  try {
    Lowering(graph, sets_, *program_).run();
  } catch (...) {
    omp_set_num_threads(before);
    throw;
  }
  omp_set_num_threads(before);
}

Plan::~Plan() = default;

const Shape& Plan::input() const noexcept { return program_->values.front().shape; }
std::int64_t Plan::output_floats() const noexcept {
  return program_->values[static_cast<std::size_t>(program_->outputs.front())].shape.elements();
}

Affine Plan::affine(std::span<const double> scale, std::span<const double> shift) const {
  const auto block = static_cast<std::size_t>(program_->block);
  const std::size_t padded = (scale.size() + block - 1) / block * block;
  Affine out;
  out.scale.assign(padded, 0.0f);
  out.shift.assign(padded, 0.0f);
  std::transform(scale.begin(), scale.end(), out.scale.begin(), [](double v) { return static_cast<float>(v); });
  std::transform(shift.begin(), shift.end(), out.shift.begin(), [](double v) { return static_cast<float>(v); });
  return out;
}

}  // namespace shiftnorm::exec
