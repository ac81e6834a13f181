#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <dnnl.hpp>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "convolution.hpp"
#include "copy_kernels.hpp"
#include "elementwise.hpp"
#include "fusion.hpp"
#include "lrn.hpp"
#include "matrix_vector.hpp"
#include "normalise.hpp"
#include "pooling.hpp"
#include "program.hpp"
#include "reference_kernel.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/exec/instruction_set.hpp"
#include "shiftnorm/exec/plan.hpp"
#include "shiftnorm/graph/shapes.hpp"
#include "unary_functions.hpp"

namespace shiftnorm::exec {
namespace {

using graph::Node;
using graph::ValueId;

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
    find_swishes();
  }

  void run() {
    const Shape& input = *graph_.value(graph_.input()).shape;
    program_.values.push_back({layout_of(input, 1), input, -1});
    value_of_[graph_.input()] = 0;
    for (std::size_t n = 0; n < graph_.nodes().size(); ++n) {
      node_ = &graph_.nodes()[n];
      index_ = n;
      try {
        if (!fold_constant()) lower();
      } catch (const dnnl::error& e) {
        throw UnsupportedError(fmt::format("node '{}': oneDNN has no kernel for {} on {}: {}", node_->name, node_->op,
                                           shape(node_->inputs[0]).text(), e.what()));
      } catch (const Error&) {
        rethrow_at(fmt::format("node '{}'", node_->name));
      }
    }
    for (const ValueId id : graph_.outputs()) program_.outputs.push_back(written_output(id));
    fuse(program_, fusible_);
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
                                                          {"ConvTranspose", &Lowering::lower_conv_transpose},
                                                          {"Div", &Lowering::lower_arithmetic},
                                                          {"Dropout", &Lowering::lower_dropout},
                                                          {"Flatten", &Lowering::lower_view},
                                                          {"Gemm", &Lowering::lower_gemm},
                                                          {"GlobalAveragePool", &Lowering::lower_global_average},
                                                          {"HardSigmoid", &Lowering::lower_hard_sigmoid},
                                                          {"HardSwish", &Lowering::lower_hard_swish},
                                                          {"Identity", &Lowering::lower_alias},
                                                          {"LRN", &Lowering::lower_lrn},
                                                          {"MatMul", &Lowering::lower_mat_mul},
                                                          {"MaxPool", &Lowering::lower_pool},
                                                          {"Mul", &Lowering::lower_mul},
                                                          {"PRelu", &Lowering::lower_prelu},
                                                          {"ReduceMean", &Lowering::lower_reduce_mean},
                                                          {"Relu", &Lowering::lower_relu},
                                                          {"Reshape", &Lowering::lower_view},
                                                          {"Sigmoid", &Lowering::lower_sigmoid},
                                                          {"Squeeze", &Lowering::lower_view},
                                                          {"Sub", &Lowering::lower_arithmetic},
                                                          {"Unsqueeze", &Lowering::lower_view}};
    const auto it = kLower.find(node_->op);
    if (it != kLower.end()) return (this->*it->second)();
    if (moves(*node_)) return lower_movement();
    if (const UnaryFunction* f = find_unary_function(node_->op)) return lower_function(*f);
    lower_reference();
  }

  /// A node that no image reaches is worked out now.
  bool fold_constant() {
    const auto constant = [this](ValueId id) { return !activation(id); };
    if (!std::all_of(node_->inputs.begin(), node_->inputs.end(), constant)) return false;
    if (set_of_[index_] >= 0)
      throw UnsupportedError("BatchNormalization of a value that no image reaches; it has nothing to measure");
    for (std::size_t k = 0; k < node_->outputs.size(); ++k)
      if (wanted(k)) folded_[node_->outputs[k]] = fold(graph_, *node_, folded_, k);
    return true;
  }

  /// x sigmoid(x), as PyTorch's SiLU is exported, is one function.
  void find_swishes() {
    std::map<ValueId, ValueId> sigmoids;  // result to argument
    for (const Node& node : graph_.nodes()) {
      if (node.op == "Sigmoid" && uses_[static_cast<std::size_t>(node.outputs[0])] == 1)
        sigmoids[node.outputs[0]] = node.inputs[0];
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

  [[nodiscard]] bool wanted(std::size_t k) const {
    return node_->outputs[k] != graph::kNone && uses_[static_cast<std::size_t>(node_->outputs[k])] > 0;
  }

  int written_output(ValueId id) {
    if (activation(id)) return as_block(materialise(id), 1);
    const Tensor& values = parameter(id);
    return emit(graph_.value(id).name, {}, values.shape, 1, compile_constant(values));
  }

  [[nodiscard]] ValueId output() const { return node_->outputs.front(); }
  [[nodiscard]] const Shape& shape(ValueId id) const { return *graph_.value(id).shape; }
  [[nodiscard]] const Tensor* constant(ValueId id) const {
    const auto known = folded_.find(id);
    if (known != folded_.end()) return &known->second;
    const graph::Value& value = graph_.value(id);
    return value.tensor ? &*value.tensor : nullptr;
  }
  [[nodiscard]] const Tensor& parameter(ValueId id) const {
    const Tensor* values = constant(id);
    if (values == nullptr)
      throw UnsupportedError(
          fmt::format("'{}' is computed at run time; expected a parameter with values", graph_.value(id).name));
    return *values;
  }
  [[nodiscard]] const Tensor* optional_parameter(std::size_t index) const {
    return graph::has_input(*node_, index) ? &parameter(node_->inputs[index]) : nullptr;
  }
  [[nodiscard]] bool activation(ValueId id) const {
    return id != graph::kNone && !graph_.value(id).parameter && folded_.count(id) == 0;
  }

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
    fusible_.normalisations.push_back({static_cast<int>(program_.steps.size()), p.terms});
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
    settle({{{set_of_[index_], -1}, 1, false, {}}, {x, -1}});
  }

  void lower_relu() {
    const auto waiting = pending_.find(node_->inputs[0]);
    Pending p{{}, {-1, -1}};
    if (waiting != pending_.end() && !waiting->second.terms.activated()) {
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
    if (!activation(a) || !activation(b) || shape(a) != shape(b)) return lower_arithmetic();
    Pending sum{{{-1, -1}, 2, false, {}}, {-1, -1}};
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
    if (shape(node_->inputs[0]).rank() > 5) return lower_reference();
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

  void lower_conv_transpose() {
    const ValueId x = node_->inputs[0];
    if (shape(x).rank() > 5) return lower_reference();
    const Tensor& weights = parameter(node_->inputs[1]);
    ConvolutionShape s{shape(x), shape(output()), {}, node_->integer("group", 1)};
    const std::vector<std::int64_t> kernel(weights.shape.extents().begin() + 2, weights.shape.extents().end());
    const std::vector<std::int64_t> spatial(s.src.extents().begin() + 2, s.src.extents().end());
    std::vector<std::int64_t> out;
    s.window = graph::transposed_window_of(*node_, kernel, spatial, out);
    std::unique_ptr<Kernel> compiled;
    try {
      compiled = compile_transposed_convolution(s, weights, optional_parameter(2), program_.block);
    } catch (const dnnl::error&) {  // no kernel of that form
      return lower_reference();
    }
    value_of_[output()] =
        emit(node_->name, {as_block(materialise(x), program_.block)}, s.dst, program_.block, std::move(compiled));
  }

  void lower_lrn() {
    const ValueId x = node_->inputs[0];
    if (shape(x).rank() < 3 || shape(x).rank() > 5) return lower_reference();
    auto compiled = compile_lrn(shape(x), node_->integer("size", 1), node_->number("alpha", 1e-4f),
                                node_->number("beta", 0.75f), node_->number("bias", 1.0f), program_.block);
    if (!compiled) return lower_reference();
    value_of_[output()] =
        emit(node_->name, {as_block(materialise(x), program_.block)}, shape(x), program_.block, std::move(compiled));
  }

  /// The mean over all pixels of each channel, which is how some exporters write global pooling.
  void lower_reduce_mean() {
    const Shape& x = shape(node_->inputs[0]);
    const std::vector<bool> reduced = graph::reduced_axes(graph_, *node_, x.rank());
    bool pixels = x.rank() > 2 && x[0] == 1;
    for (std::size_t axis = 0; axis < x.rank(); ++axis) pixels = pixels && reduced[axis] == (axis > 1);
    pixels ? lower_global_average() : lower_reference();
  }

  void lower_prelu() {
    const ValueId x = node_->inputs[0];
    if (activation(node_->inputs[1])) return lower_reference();
    const std::optional<std::vector<float>> slope = per_channel(node_->inputs[1], shape(x));
    if (!slope) return lower_reference();
    const int value = materialise(x);
    const Layout layout = program_.values[static_cast<std::size_t>(value)].layout;
    value_of_[output()] = emit(node_->name, {value}, shape(x), layout.block, compile_channel_prelu(*slope, layout));
  }

  /// Rows against one matrix.
  void lower_mat_mul() {
    const ValueId a = node_->inputs[0], b = node_->inputs[1];
    if (!activation(a) || activation(b) || shape(b).rank() != 2 || shape(a).rank() < 2) return lower_reference();
    const Tensor& matrix = parameter(b);
    const std::int64_t rows = shape(a).elements() / std::max<std::int64_t>(shape(b)[0], 1);
    const int x = as_block(materialise(a), 1);
    value_of_[output()] =
        emit(node_->name, {x}, shape(output()), 1, compile_matrix_vector(matrix, false, nullptr, 1.0f, 0.0f, rows));
  }

  void lower_pool() {
    const ValueId x = node_->inputs[0];
    if (shape(x).rank() > 5 || (node_->outputs.size() > 1 && wanted(1))) return lower_reference();
    const std::vector<std::int64_t> spatial(shape(x).extents().begin() + 2, shape(x).extents().end());
    const graph::Window window = graph::window_of(*node_, node_->integers("kernel_shape", {}), spatial);
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

  /// The same floats in row-major order under another shape.
  void lower_view() {
    const int x = as_block(materialise(node_->inputs[0]), 1);
    value_of_[output()] = emit(node_->name, {x}, shape(output()), 1, compile_copy(shape(output()).elements()));
  }

  void lower_gemm() {
    const ValueId a = node_->inputs[0], b = node_->inputs[1];
    const bool bias = graph::has_input(*node_, 2);
    if (!activation(a) || activation(b) || node_->integer("transA", 0) != 0 || shape(output())[0] != 1 ||
        (bias && (activation(node_->inputs[2]) || shape(node_->inputs[2]).elements() != shape(output())[1])))
      return lower_reference();
    const int x = as_block(materialise(a), 1);
    auto kernel = compile_matrix_vector(parameter(b), node_->integer("transB", 0) != 0, optional_parameter(2),
                                        node_->number("alpha", 1.0f), node_->number("beta", 1.0f));
    value_of_[output()] = emit(node_->name, {x}, shape(output()), 1, std::move(kernel));
  }

  /// Slices, pads and such, in the layout that their source has where they treat each axis by itself.
  void lower_movement() {
    const ValueId from = node_->inputs[0];
    for (std::size_t k = 1; k < node_->inputs.size(); ++k)
      if (activation(node_->inputs[k])) return lower_reference();
    const Tensor* given = node_->op == "Pad" ? optional_parameter(2) : nullptr;
    const float fill = given != nullptr ? given->values.at(0) : 0.0f;
    for (std::size_t k = 0; k < node_->outputs.size(); ++k) {
      if (!wanted(k)) continue;
      const ValueId to = node_->outputs[k];
      Movement movement = movement_of(graph_, *node_, shape(from), shape(to), k);
      int x = materialise(from);
      if (block_of(x) > 1 && movement.per_axis && shape(to)[0] == 1) {
        const Layout src = program_.values[static_cast<std::size_t>(x)].layout;
        value_of_[to] = emit(node_->name, {x}, shape(to), src.block,
                             compile_blocked_movement(movement, fill, src, layout_of(shape(to), src.block)));
      } else {
        x = as_block(x, 1);
        value_of_[to] = emit(node_->name, {x}, shape(to), 1, compile_movement(std::move(movement), fill));
      }
    }
  }

  void lower_concat() {
    std::vector<int> src;
    std::int64_t block = 1;
    for (const ValueId id : node_->inputs) {
      if (!activation(id) || shape(id).rank() < 2 || shape(id)[0] != 1 ||
          graph::axis_of(node_->integer("axis", 1), shape(id).rank()) != 1)
        return lower_reference();
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

  void lower_unary(Unary op, float a = 0, float b = 0) { activate(node_->inputs[0], {op, a, b}); }

  /// With a sum that is still open in the same pass.
  void activate(ValueId from, const Activation& f) {
    const auto waiting = pending_.find(from);
    if (waiting != pending_.end() && !waiting->second.terms.activated()) {
      Pending p = waiting->second;
      pending_.erase(waiting);
      p.terms.activation = f;
      value_of_[output()] = write(p, shape(output()));
      return;
    }
    const int x = materialise(from);
    const Layout layout = program_.values[static_cast<std::size_t>(x)].layout;
    value_of_[output()] = emit(node_->name, {x}, shape(output()), layout.block, compile_unary(f.op, f.a, f.b, layout));
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
  void lower_sigmoid() {
    if (!swishes_.contains(output())) lower_unary(Unary::sigmoid);
  }

  /// Equal shapes, or a factor for each channel (squeeze-and-excitation).
  void lower_mul() {
    ValueId a = node_->inputs[0], b = node_->inputs[1];
    if (swishes_.contains(a)) std::swap(a, b);
    if (swishes_.contains(b)) return activate(a, {Unary::swish});
    if (!activation(a) || !activation(b)) return lower_arithmetic();
    if (shape(a) != shape(output())) std::swap(a, b);
    const Shape &wide = shape(a), &narrow = shape(b);
    const bool same = wide == narrow;
    const bool per_channel = narrow.rank() == wide.rank() && wide.rank() > 2 && narrow[1] == wide[1] &&
                             narrow[0] == 1 && narrow.elements_from(2) == 1 && wide == shape(output());
    if (!same && !per_channel) return lower_reference();
    const int x = materialise(a), y = materialise(b);
    const std::int64_t block = std::max(block_of(x), block_of(y));
    const Layout layout = layout_of(shape(output()), block);
    value_of_[output()] = emit(node_->name, {as_block(x, block), as_block(y, block)}, shape(output()), block,
                               same ? compile_product(layout) : compile_channel_product(layout));
    if (!same) fusible_.gated.insert(value_of_[output()]);
  }

  void lower_function(const UnaryFunction& f) {
    static const std::map<std::string_view, Unary> kVectors{
        {"Elu", Unary::elu},   {"Exp", Unary::exp},  {"LeakyRelu", Unary::leaky_relu},
        {"Mish", Unary::mish}, {"Selu", Unary::elu}, {"Tanh", Unary::tanh}};
    const auto vector = kVectors.find(f.op);
    if (vector != kVectors.end()) {
      const double b = f.b.key.empty() ? 1.0 : parameter_of(*node_, f.b);
      return lower_unary(vector->second, static_cast<float>(parameter_of(*node_, f.a)), static_cast<float>(b));
    }
    const int x = materialise(node_->inputs[0]);
    const Layout layout = program_.values[static_cast<std::size_t>(x)].layout;
    value_of_[output()] = emit(node_->name, {x}, shape(output()), layout.block,
                               compile_unary(f.of, parameter_of(*node_, f.a), parameter_of(*node_, f.b), layout));
  }

  /// One value for every channel of an activation of this shape, if a constant comes to that.
  [[nodiscard]] std::optional<std::vector<float>> per_channel(ValueId id, const Shape& wide) const {
    const Tensor& values = parameter(id);
    const Layout layout = layout_of(wide, 1);
    const auto channels = static_cast<std::size_t>(layout.channels);
    if (values.shape.rank() > wide.rank()) return std::nullopt;
    if (values.shape.elements() == 1) return std::vector<float>(channels, values.values[0]);
    const std::size_t skipped = wide.rank() - values.shape.rank();
    if (skipped > 1 || wide[0] != 1 || values.shape[1 - skipped] != wide[1] || values.shape.elements() != wide[1])
      return std::nullopt;
    return std::vector<float>(values.values.begin(), values.values.end());
  }

  /// Add, Sub, Mul and Div by a constant for each channel.
  void lower_arithmetic() {
    const bool first = activation(node_->inputs[0]);
    const ValueId id = node_->inputs[first ? 0 : 1], other = node_->inputs[first ? 1 : 0];
    const bool div = node_->op == "Div", sub = node_->op == "Sub";
    if (activation(other) || shape(id) != shape(output()) || (div && !first)) return lower_reference();
    std::optional<std::vector<float>> values = per_channel(other, shape(id));
    if (!values) return lower_reference();
    std::vector<float> scale(values->size(), sub && !first ? -1.0f : 1.0f), shift(values->size(), 0.0f);
    if (div)
      for (float& v : *values) v = 1.0f / v;
    if (sub && first)
      for (float& v : *values) v = -v;
    (div || node_->op == "Mul" ? scale : shift) = *values;
    const int x = materialise(id);
    const Layout layout = program_.values[static_cast<std::size_t>(x)].layout;
    value_of_[output()] =
        emit(node_->name, {x}, shape(output()), layout.block, compile_channel_affine(scale, shift, layout));
  }

  void lower_dropout() {
    lower_alias();
    if (node_->outputs.size() > 1 && wanted(1)) lower_reference_output(1);
  }

  void lower_alias() { value_of_[output()] = materialise(node_->inputs[0]); }

  void lower_reference() {
    for (std::size_t k = 0; k < node_->outputs.size(); ++k)
      if (wanted(k)) lower_reference_output(k);
  }

  void lower_reference_output(std::size_t k) {
    std::vector<int> src;
    for (const ValueId id : node_->inputs)
      if (activation(id)) src.push_back(as_block(materialise(id), 1));
    const ValueId to = node_->outputs[k];
    value_of_[to] = emit(node_->name, std::move(src), shape(to), 1, compile_reference(graph_, *node_, folded_, k));
  }

  const graph::Graph& graph_;
  Program& program_;
  const Node* node_ = nullptr;
  std::size_t index_ = 0;
  std::vector<int> set_of_;
  std::vector<int> uses_;
  std::set<ValueId> swishes_;  ///< sigmoids that their product takes in
  Folded folded_;
  std::map<ValueId, int> value_of_;
  std::map<ValueId, Pending> pending_;
  std::map<std::pair<int, std::int64_t>, int> reordered_;
  Fusible fusible_;
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
    graph::check_images_apart(graph);
    Lowering(graph, sets_, *program_).run();
  } catch (...) {
    omp_set_num_threads(before);
    throw;
  }
  omp_set_num_threads(before);
}

Plan::~Plan() = default;

const Shape& Plan::input() const noexcept { return program_->values.front().shape; }
std::size_t Plan::outputs() const noexcept { return program_->outputs.size(); }
const Shape& Plan::output(std::size_t which) const {
  return program_->values[static_cast<std::size_t>(program_->outputs.at(which))].shape;
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
