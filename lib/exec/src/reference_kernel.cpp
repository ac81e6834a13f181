#include "reference_kernel.hpp"

#include <fmt/format.h>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/exec/reference.hpp"

namespace shiftnorm::exec {
namespace {

using graph::Node;
using graph::ValueId;

/// One node in a graph of its own that holds its constants and knows its shapes.
struct LoneNode {
  graph::Graph graph;
  Node node;

  LoneNode(const graph::Graph& whole, const Node& original, const Folded& folded) : node(original) {
    for (ValueId& id : node.inputs) id = copy(whole, id, folded);
    for (ValueId& id : node.outputs) id = copy(whole, id, folded);
  }

 private:
  ValueId copy(const graph::Graph& whole, ValueId id, const Folded& folded) {
    if (id == graph::kNone) return id;
    const ValueId fresh = graph.add_parameter("", Shape{0});
    graph::Value& value = graph.value(fresh);
    value = whole.value(id);
    const auto known = folded.find(id);
    if (known != folded.end()) value.tensor = known->second;
    // The loops read computed indices and such as floats, integers among them.
    if (value.integers)
      value.tensor = Tensor(*value.shape, std::vector<float>(value.integers->begin(), value.integers->end()));
    if (value.parameter && !value.tensor)
      throw UnsupportedError(fmt::format("'{}' has no values; expected a bound parameter", value.name));
    return fresh;
  }
};

class ReferenceKernel final : public Kernel {
 public:
  ReferenceKernel(LoneNode lone, std::size_t which) : lone_(std::move(lone)) {
    for (const ValueId id : lone_.node.inputs) {
      TensorView& view = inputs_.emplace_back();
      if (id == graph::kNone) continue;
      const graph::Value& value = lone_.graph.value(id);
      view.shape = *value.shape;
      if (value.tensor)
        view.data = value.tensor->values.data();
      else
        computed_.push_back(inputs_.size() - 1);
    }
    for (const ValueId id : lone_.node.outputs) {
      OutputView& view = outputs_.emplace_back();
      if (id != graph::kNone) view.shape = *lone_.graph.value(id).shape;
    }
    which_ = which;
  }

  void run(const KernelArguments& a) const override {
    std::vector<TensorView> in = inputs_;
    std::vector<OutputView> out = outputs_;
    for (std::size_t i = 0; i < computed_.size(); ++i) in[computed_[i]].data = a.src[i];
    out[which_].data = a.dst;
    run_reference_node(lone_.graph, lone_.node, in, out);
  }

 private:
  LoneNode lone_;
  std::vector<TensorView> inputs_;
  std::vector<OutputView> outputs_;
  std::vector<std::size_t> computed_;  ///< inputs that come from the image
  std::size_t which_;
};

}  // namespace

std::unique_ptr<Kernel> compile_reference(const graph::Graph& graph, const Node& node, const Folded& folded,
                                          std::size_t which) {
  return std::make_unique<ReferenceKernel>(LoneNode(graph, node, folded), which);
}

Tensor fold(const graph::Graph& graph, const Node& node, const Folded& folded, std::size_t which) {
  // What a file says in a few bytes (Expand, Tile) must not fill the memory before an image is seen.
  constexpr std::int64_t kMostElements = std::int64_t{1} << 28;
  const Shape& shape = *graph.value(node.outputs.at(which)).shape;
  if (shape.elements() > kMostElements)
    throw UnsupportedError(fmt::format("a constant {}; expected at most {} elements", shape.text(), kMostElements));
  Tensor out(shape);
  KernelArguments arguments;
  arguments.dst = out.values.data();
  ReferenceKernel(LoneNode(graph, node, folded), which).run(arguments);
  return out;
}

}  // namespace shiftnorm::exec
