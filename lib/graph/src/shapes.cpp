#include "shiftnorm/graph/shapes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "images_apart.hpp"
#include "shape_rules.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::graph {
namespace {

constexpr std::size_t kMany = 1024;
/// Floats of one activation: 8 GiB is beyond any network, and within what a file may claim in a few bytes.
constexpr std::int64_t kMostElements = std::int64_t{1} << 31;

constexpr std::array kOperators{
    OpSpec{"Abs", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Acos", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Acosh", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Add", 2, 2, 1, infer_broadcast, images_broadcast},
    OpSpec{"And", 2, 2, 1, infer_broadcast, images_broadcast},
    OpSpec{"ArgMax", 1, 1, 1, infer_arg, images_arg},
    OpSpec{"ArgMin", 1, 1, 1, infer_arg, images_arg},
    OpSpec{"Asin", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Asinh", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Atan", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Atanh", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"AveragePool", 1, 1, 1, infer_pool, images_first},
    OpSpec{"BatchNormalization", 5, 5, 1, infer_batch_norm, images_first},
    OpSpec{"Cast", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Ceil", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Celu", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Clip", 1, 3, 1, infer_same, images_broadcast},
    OpSpec{"Concat", 1, kMany, 1, infer_concat, images_beside},
    OpSpec{"Conv", 2, 3, 1, infer_conv, images_first},
    OpSpec{"ConvTranspose", 2, 3, 1, infer_conv_transpose, images_first},
    OpSpec{"Cos", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Cosh", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"DepthToSpace", 1, 1, 1, infer_depth_to_space, images_first},
    OpSpec{"Div", 2, 2, 1, infer_broadcast, images_broadcast},
    OpSpec{"Dropout", 1, 3, 2, infer_same, images_broadcast},
    OpSpec{"Elu", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Equal", 2, 2, 1, infer_broadcast, images_broadcast},
    OpSpec{"Erf", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Exp", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Expand", 2, 2, 1, infer_expand, images_kept},
    OpSpec{"Flatten", 1, 1, 1, infer_flatten, images_flatten},
    OpSpec{"Floor", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Gather", 2, 2, 1, infer_gather, images_gather},
    OpSpec{"GatherElements", 2, 2, 1, infer_gather_elements, images_gather_elements},
    OpSpec{"Gelu", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Gemm", 2, 3, 1, infer_gemm, images_gemm},
    OpSpec{"GlobalAveragePool", 1, 1, 1, infer_global_pool, images_first},
    OpSpec{"GlobalLpPool", 1, 1, 1, infer_global_pool, images_first},
    OpSpec{"GlobalMaxPool", 1, 1, 1, infer_global_pool, images_first},
    OpSpec{"Greater", 2, 2, 1, infer_broadcast, images_broadcast},
    OpSpec{"GreaterOrEqual", 2, 2, 1, infer_broadcast, images_broadcast},
    OpSpec{"HardSigmoid", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"HardSwish", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Hardmax", 1, 1, 1, infer_along_axis, images_beside},
    OpSpec{"Identity", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"InstanceNormalization", 3, 3, 1, infer_instance_norm, images_first},
    OpSpec{"IsInf", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"IsNaN", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"LRN", 1, 1, 1, infer_lrn, images_first},
    OpSpec{"LayerNormalization", 2, 3, 3, infer_layer_norm, images_instance},
    OpSpec{"LeakyRelu", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Less", 2, 2, 1, infer_broadcast, images_broadcast},
    OpSpec{"LessOrEqual", 2, 2, 1, infer_broadcast, images_broadcast},
    OpSpec{"Log", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"LogSoftmax", 1, 1, 1, infer_along_axis, images_beside},
    OpSpec{"LpNormalization", 1, 1, 1, infer_along_axis, images_beside},
    OpSpec{"LpPool", 1, 1, 1, infer_pool, images_first},
    OpSpec{"MatMul", 2, 2, 1, infer_mat_mul, images_mat_mul},
    OpSpec{"Max", 1, kMany, 1, infer_broadcast, images_broadcast},
    OpSpec{"MaxPool", 1, 1, 2, infer_pool, images_first},
    OpSpec{"Mean", 1, kMany, 1, infer_broadcast, images_broadcast},
    OpSpec{"MeanVarianceNormalization", 1, 1, 1, infer_mean_variance, images_mean_variance},
    OpSpec{"Min", 1, kMany, 1, infer_broadcast, images_broadcast},
    OpSpec{"Mish", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Mod", 2, 2, 1, infer_broadcast, images_broadcast},
    OpSpec{"Mul", 2, 2, 1, infer_broadcast, images_broadcast},
    OpSpec{"Neg", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Not", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Or", 2, 2, 1, infer_broadcast, images_broadcast},
    OpSpec{"PRelu", 2, 2, 1, infer_prelu, images_broadcast},
    OpSpec{"Pad", 1, 4, 1, infer_pad, images_pad},
    OpSpec{"Pow", 2, 2, 1, infer_broadcast, images_broadcast},
    OpSpec{"Reciprocal", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"ReduceL1", 1, 2, 1, infer_reduce, images_reduce},
    OpSpec{"ReduceL2", 1, 2, 1, infer_reduce, images_reduce},
    OpSpec{"ReduceLogSum", 1, 2, 1, infer_reduce, images_reduce},
    OpSpec{"ReduceLogSumExp", 1, 2, 1, infer_reduce, images_reduce},
    OpSpec{"ReduceMax", 1, 2, 1, infer_reduce, images_reduce},
    OpSpec{"ReduceMean", 1, 2, 1, infer_reduce, images_reduce},
    OpSpec{"ReduceMin", 1, 2, 1, infer_reduce, images_reduce},
    OpSpec{"ReduceProd", 1, 2, 1, infer_reduce, images_reduce},
    OpSpec{"ReduceSum", 1, 2, 1, infer_reduce, images_reduce},
    OpSpec{"ReduceSumSquare", 1, 2, 1, infer_reduce, images_reduce},
    OpSpec{"Relu", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Reshape", 2, 2, 1, infer_reshape, images_reshape},
    OpSpec{"Resize", 1, 4, 1, infer_resize, images_kept},
    OpSpec{"Round", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Selu", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Shrink", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Sigmoid", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Sign", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Sin", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Sinh", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Slice", 1, 5, 1, infer_slice, images_slice},
    OpSpec{"Softmax", 1, 1, 1, infer_along_axis, images_beside},
    OpSpec{"Softplus", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Softsign", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"SpaceToDepth", 1, 1, 1, infer_space_to_depth, images_first},
    OpSpec{"Split", 1, 2, kMany, infer_split, images_beside},
    OpSpec{"Sqrt", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Squeeze", 1, 2, 1, infer_squeeze, images_squeeze},
    OpSpec{"Sub", 2, 2, 1, infer_broadcast, images_broadcast},
    OpSpec{"Sum", 1, kMany, 1, infer_broadcast, images_broadcast},
    OpSpec{"Tan", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Tanh", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"ThresholdedRelu", 1, 1, 1, infer_same, images_broadcast},
    OpSpec{"Tile", 2, 2, 1, infer_tile, images_kept},
    OpSpec{"Transpose", 1, 1, 1, infer_transpose, images_transpose},
    OpSpec{"Unsqueeze", 1, 2, 1, infer_unsqueeze, images_unsqueeze},
    OpSpec{"Where", 3, 3, 1, infer_broadcast, images_broadcast},
    OpSpec{"Xor", 2, 2, 1, infer_broadcast, images_broadcast},
};
static_assert(std::is_sorted(kOperators.begin(), kOperators.end(),
                             [](const OpSpec& a, const OpSpec& b) { return a.op < b.op; }),
              "find_operator searches by halves");

}  // namespace

std::span<const OpSpec> operators() { return kOperators; }

const OpSpec* find_operator(std::string_view op) {
  const auto it = std::lower_bound(kOperators.begin(), kOperators.end(), op,
                                   [](const OpSpec& a, std::string_view b) { return a.op < b; });
  return it != kOperators.end() && it->op == op ? &*it : nullptr;
}

void infer_node(Graph& graph, const Node& node) {
  const OpSpec* spec = find_operator(node.op);
  if (spec == nullptr) throw UnsupportedError(fmt::format("operator {} is not supported", node.op));
  if (node.inputs.size() < spec->min_inputs || node.inputs.size() > spec->max_inputs)
    throw FormatError(fmt::format("{} has {} inputs; expected {} to {}", node.op, node.inputs.size(), spec->min_inputs,
                                  spec->max_inputs));
  if (node.outputs.empty() || node.outputs.size() > spec->max_outputs)
    throw UnsupportedError(
        fmt::format("{} has {} outputs; expected 1 to {}", node.op, node.outputs.size(), spec->max_outputs));
  const Shapes shapes = spec->infer(graph, node);
  for (const Shape& shape : shapes)
    if (shape.elements() > kMostElements)
      throw UnsupportedError(
          fmt::format("{} gives {}; expected at most {} elements", node.op, shape.text(), kMostElements));
  for (std::size_t i = 0; i < node.outputs.size(); ++i)
    if (node.outputs[i] != kNone) graph.value(node.outputs[i]).shape = shapes.at(i);
}

void infer_shapes(Graph& graph) {
  for (const Node& node : graph.nodes()) {
    try {
      infer_node(graph, node);
    } catch (const Error&) {
      rethrow_at(fmt::format("node '{}'", node.name));
    }
  }
}

const Shape& input_shape(const Graph& graph, const Node& node, std::size_t index) {
  const ValueId id = node.inputs.at(index);
  if (id == kNone) throw FormatError(fmt::format("input {} of {} is absent", index, node.op));
  const auto& shape = graph.value(id).shape;
  if (!shape) throw FormatError(fmt::format("input {} of {} has no shape yet", index, node.op));
  return *shape;
}

}  // namespace shiftnorm::graph
