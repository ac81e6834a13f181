#include "shiftnorm/exec/reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "loops.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::exec {
namespace {

constexpr std::array kReference{
    ReferenceOp{"Abs", run_unary},
    ReferenceOp{"Acos", run_unary},
    ReferenceOp{"Acosh", run_unary},
    ReferenceOp{"Add", run_binary},
    ReferenceOp{"And", run_binary},
    ReferenceOp{"ArgMax", run_arg},
    ReferenceOp{"ArgMin", run_arg},
    ReferenceOp{"Asin", run_unary},
    ReferenceOp{"Asinh", run_unary},
    ReferenceOp{"Atan", run_unary},
    ReferenceOp{"Atanh", run_unary},
    ReferenceOp{"AveragePool", run_pool},
    ReferenceOp{"BatchNormalization", run_batch_norm},
    ReferenceOp{"Cast", run_cast},
    ReferenceOp{"Ceil", run_unary},
    ReferenceOp{"Celu", run_unary},
    ReferenceOp{"Clip", run_clip},
    ReferenceOp{"Concat", run_concat},
    ReferenceOp{"Conv", run_conv},
    ReferenceOp{"ConvTranspose", run_conv_transpose},
    ReferenceOp{"Cos", run_unary},
    ReferenceOp{"Cosh", run_unary},
    ReferenceOp{"DepthToSpace", run_move},
    ReferenceOp{"Div", run_binary},
    ReferenceOp{"Dropout", run_dropout},
    ReferenceOp{"Elu", run_unary},
    ReferenceOp{"Equal", run_binary},
    ReferenceOp{"Erf", run_unary},
    ReferenceOp{"Exp", run_unary},
    ReferenceOp{"Expand", run_move},
    ReferenceOp{"Flatten", run_copy},
    ReferenceOp{"Floor", run_unary},
    ReferenceOp{"Gather", run_gather},
    ReferenceOp{"GatherElements", run_gather_elements},
    ReferenceOp{"Gelu", run_gelu},
    ReferenceOp{"Gemm", run_gemm},
    ReferenceOp{"GlobalAveragePool", run_global_pool},
    ReferenceOp{"GlobalLpPool", run_global_pool},
    ReferenceOp{"GlobalMaxPool", run_global_pool},
    ReferenceOp{"Greater", run_binary},
    ReferenceOp{"GreaterOrEqual", run_binary},
    ReferenceOp{"HardSigmoid", run_unary},
    ReferenceOp{"HardSwish", run_unary},
    ReferenceOp{"Hardmax", run_along_axis},
    ReferenceOp{"Identity", run_copy},
    ReferenceOp{"InstanceNormalization", run_instance_norm},
    ReferenceOp{"IsInf", run_is_inf},
    ReferenceOp{"IsNaN", run_unary},
    ReferenceOp{"LRN", run_lrn},
    ReferenceOp{"LayerNormalization", run_layer_norm},
    ReferenceOp{"LeakyRelu", run_unary},
    ReferenceOp{"Less", run_binary},
    ReferenceOp{"LessOrEqual", run_binary},
    ReferenceOp{"Log", run_unary},
    ReferenceOp{"LogSoftmax", run_along_axis},
    ReferenceOp{"LpNormalization", run_along_axis},
    ReferenceOp{"LpPool", run_pool},
    ReferenceOp{"MatMul", run_mat_mul},
    ReferenceOp{"Max", run_binary},
    ReferenceOp{"MaxPool", run_pool},
    ReferenceOp{"Mean", run_binary},
    ReferenceOp{"MeanVarianceNormalization", run_mean_variance},
    ReferenceOp{"Min", run_binary},
    ReferenceOp{"Mish", run_unary},
    ReferenceOp{"Mod", run_binary},
    ReferenceOp{"Mul", run_binary},
    ReferenceOp{"Neg", run_unary},
    ReferenceOp{"Not", run_unary},
    ReferenceOp{"Or", run_binary},
    ReferenceOp{"PRelu", run_binary},
    ReferenceOp{"Pad", run_move},
    ReferenceOp{"Pow", run_binary},
    ReferenceOp{"Reciprocal", run_unary},
    ReferenceOp{"ReduceL1", run_reduce},
    ReferenceOp{"ReduceL2", run_reduce},
    ReferenceOp{"ReduceLogSum", run_reduce},
    ReferenceOp{"ReduceLogSumExp", run_reduce},
    ReferenceOp{"ReduceMax", run_reduce},
    ReferenceOp{"ReduceMean", run_reduce},
    ReferenceOp{"ReduceMin", run_reduce},
    ReferenceOp{"ReduceProd", run_reduce},
    ReferenceOp{"ReduceSum", run_reduce},
    ReferenceOp{"ReduceSumSquare", run_reduce},
    ReferenceOp{"Relu", run_unary},
    ReferenceOp{"Reshape", run_copy},
    ReferenceOp{"Resize", run_resize},
    ReferenceOp{"Round", run_unary},
    ReferenceOp{"Selu", run_unary},
    ReferenceOp{"Shrink", run_unary},
    ReferenceOp{"Sigmoid", run_unary},
    ReferenceOp{"Sign", run_unary},
    ReferenceOp{"Sin", run_unary},
    ReferenceOp{"Sinh", run_unary},
    ReferenceOp{"Slice", run_move},
    ReferenceOp{"Softmax", run_along_axis},
    ReferenceOp{"Softplus", run_unary},
    ReferenceOp{"Softsign", run_unary},
    ReferenceOp{"SpaceToDepth", run_move},
    ReferenceOp{"Split", run_move},
    ReferenceOp{"Sqrt", run_unary},
    ReferenceOp{"Squeeze", run_copy},
    ReferenceOp{"Sub", run_binary},
    ReferenceOp{"Sum", run_binary},
    ReferenceOp{"Tan", run_unary},
    ReferenceOp{"Tanh", run_unary},
    ReferenceOp{"ThresholdedRelu", run_unary},
    ReferenceOp{"Tile", run_move},
    ReferenceOp{"Transpose", run_move},
    ReferenceOp{"Unsqueeze", run_copy},
    ReferenceOp{"Where", run_where},
    ReferenceOp{"Xor", run_binary},
};
static_assert(std::is_sorted(kReference.begin(), kReference.end(),
                             [](const ReferenceOp& a, const ReferenceOp& b) { return a.op < b.op; }),
              "run_reference_node searches by halves");

}  // namespace

std::span<const ReferenceOp> reference_operators() { return kReference; }

void run_reference_node(const graph::Graph& graph, const graph::Node& node, std::span<const TensorView> in,
                        std::span<const OutputView> out) {
  const auto it = std::lower_bound(kReference.begin(), kReference.end(), node.op,
                                   [](const ReferenceOp& a, std::string_view b) { return a.op < b; });
  if (it == kReference.end() || it->op != node.op)
    throw UnsupportedError(fmt::format("operator {} has no kernel", node.op));
  it->run({graph, node, in, out});
}

std::vector<std::vector<float>> run_reference(const graph::Graph& graph, std::span<const float> images) {
  std::vector<std::vector<float>> values(graph.values());
  const auto of = [&values](graph::ValueId id) -> std::vector<float>& { return values[static_cast<std::size_t>(id)]; };
  of(graph.input()).assign(images.begin(), images.end());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const graph::Value& value = graph.value(static_cast<graph::ValueId>(i));
    if (value.integers) values[i].assign(value.integers->begin(), value.integers->end());
  }
  for (const graph::Node& node : graph.nodes()) {
    std::vector<TensorView> in;
    for (const graph::ValueId id : node.inputs) {
      TensorView& view = in.emplace_back();
      if (id == graph::kNone) continue;
      const graph::Value& value = graph.value(id);
      view.shape = *value.shape;
      if (value.parameter && !value.tensor && !value.integers)
        throw FormatError(fmt::format("parameter '{}' has no values", value.name));
      view.data = value.tensor ? value.tensor->values.data() : of(id).data();
    }
    std::vector<OutputView> out;
    for (const graph::ValueId id : node.outputs) {
      OutputView& view = out.emplace_back();
      if (id == graph::kNone) continue;
      view.shape = *graph.value(id).shape;
      of(id).resize(static_cast<std::size_t>(view.shape.elements()));
      view.data = of(id).data();
    }
    run_reference_node(graph, node, in, out);
  }
  std::vector<std::vector<float>> outputs;
  for (const graph::ValueId id : graph.outputs()) {
    const graph::Value& value = graph.value(id);
    if (value.tensor)
      outputs.emplace_back(value.tensor->values.begin(), value.tensor->values.end());
    else
      outputs.push_back(of(id));
  }
  return outputs;
}

}  // namespace shiftnorm::exec
