#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fusion.hpp"
#include "normalise.hpp"
#include "program.hpp"
#include "reference_kernel.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::exec {

/// A graph on its way to a program, node by node. What a node becomes is chosen from kernel_choices(), whose rows see
/// the node at hand and what was lowered before it through this.
class Lowering {
 public:
  Lowering(const graph::Graph& graph, const std::vector<graph::BatchNorm>& sets, Program& program);

  /// Errors  UnsupportedError naming the node that cannot be compiled.
  void run();

  // The node at hand.
  [[nodiscard]] const graph::Graph& graph() const { return graph_; }
  [[nodiscard]] const graph::Node& node() const { return *node_; }
  [[nodiscard]] graph::ValueId input(std::size_t index = 0) const { return node_->inputs[index]; }
  [[nodiscard]] graph::ValueId output() const { return node_->outputs.front(); }
  [[nodiscard]] SetIndex set() const { return set_of_[index_]; }  ///< of a BatchNormalization
  /// Whether anything reads output k.
  [[nodiscard]] bool wanted(std::size_t k) const;

  [[nodiscard]] const Shape& shape(graph::ValueId id) const { return *graph_.value(id).shape; }
  /// Whether a value depends on the image.
  [[nodiscard]] bool activation(graph::ValueId id) const;
  /// Errors  UnsupportedError if it does, or has no values.
  [[nodiscard]] const Tensor& parameter(graph::ValueId id) const;
  [[nodiscard]] const Tensor* optional_parameter(std::size_t index) const;
  [[nodiscard]] const Folded& folded() const { return folded_; }
  /// Whether a product takes this sigmoid in: x sigmoid(x), as PyTorch's SiLU is exported, is one function.
  [[nodiscard]] bool swish(graph::ValueId id) const { return swishes_.contains(id); }

  // What is being written.
  [[nodiscard]] std::int64_t program_block() const { return program_.block; }
  [[nodiscard]] const Layout& layout(ValueIndex value) const { return program_.values[value].layout; }
  [[nodiscard]] std::int64_t block_of(ValueIndex value) const { return layout(value).block; }
  /// The program's value of a graph value, written out if it was still open.
  ValueIndex materialise(graph::ValueId id);
  /// The same values in blocks of `block` channels.
  ValueIndex as_block(ValueIndex value, std::int64_t block);
  /// Adds a step that writes a new value, and returns the value. The kernel has the name of the row that was chosen.
  ValueIndex emit(std::vector<ValueIndex> src, const Shape& shape, std::int64_t block, std::unique_ptr<Kernel> kernel);
  /// The same under another name. form: of a windowed operator, see form_of().
  ValueIndex emit(std::string_view kernel_name, std::vector<ValueIndex> src, const Shape& shape, std::int64_t block,
                  std::unique_ptr<Kernel> kernel, std::string form = {});
  /// The node's first output is this.
  void give(ValueIndex value) { give(output(), value); }
  void give(graph::ValueId id, ValueIndex value) { value_of_[id] = value; }
  /// A product with a factor for each channel, which a convolution may take in.
  void may_gate(ValueIndex value) { fusible_.gated.insert(value); }

  // Sums of up to two terms that are not written yet, so that what reads them may still join in.
  [[nodiscard]] bool open_sum(graph::ValueId id) const;     ///< without an activation
  void normalise();                                         ///< the node is a BatchNormalization
  void add();                                               ///< the node is an Add of equal shapes
  void rectify();                                           ///< the node is a Relu
  void activate(graph::ValueId from, const Activation& f);  ///< the node is this function of an open sum

  /// Output k of the node by plain loops.
  void by_plain_loops(std::size_t k);

 private:
  struct Pending {
    NormaliseTerms terms;
    std::array<ValueIndex, 2> src;
    std::string name, ops;  ///< of the last node that joined; of all
  };

  bool fold_constant();
  void find_swishes();
  ValueIndex written_output(graph::ValueId id);
  [[nodiscard]] const Tensor* constant(graph::ValueId id) const;
  [[nodiscard]] std::size_t uses(graph::ValueId id) const { return uses_[static_cast<std::size_t>(id)]; }
  Pending take_open(graph::ValueId id);
  Pending open(graph::ValueId id);
  void joined(Pending& p, std::string_view earlier = {}) const;
  ValueIndex write(const Pending& p, const Shape& shape);
  void leave_open(Pending p);
  ValueIndex append(ProgramStep step, const Shape& shape, std::int64_t block);

  const graph::Graph& graph_;
  Program& program_;
  const graph::Node* node_ = nullptr;
  std::size_t index_ = 0;
  std::string_view choice_;  ///< the name of the row at hand
  std::vector<SetIndex> set_of_;
  std::vector<std::size_t> uses_;
  std::set<graph::ValueId> swishes_;
  Folded folded_;
  std::map<graph::ValueId, ValueIndex> value_of_;
  std::map<graph::ValueId, Pending> pending_;
  std::map<std::pair<ValueIndex, std::int64_t>, ValueIndex> reordered_;
  Fusible fusible_;
};

}  // namespace shiftnorm::exec
