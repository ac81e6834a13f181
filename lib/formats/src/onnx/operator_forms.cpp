#include "operator_forms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/graph/marks.hpp"

namespace shiftnorm::formats {
namespace {

using graph::kNone, graph::ValueId;
using Integers = std::vector<std::int64_t>;

void same(Lowering&) {}

void set_input(Lowering& step, std::size_t index, ValueId id) {
  if (step.node.inputs.size() <= index) step.node.inputs.resize(index + 1, kNone);
  step.node.inputs[index] = id;
}

void take_out(Lowering& step, std::string_view key) { step.node.attributes.erase(std::string(key)); }

void integers_to_input(Lowering& step, std::string_view key, std::size_t index) {
  if (step.node.attributes.contains(std::string(key)))
    set_input(step, index, step.integers(step.node.integers(key, {}), false));
  take_out(step, key);
}

void number_to_input(Lowering& step, std::string_view key, std::size_t index) {
  if (step.node.attributes.contains(std::string(key)))
    set_input(step, index, step.floats({step.node.number(key, 0)}, true));
  take_out(step, key);
}

/// Refuses any value of an attribute but the one that changes nothing.
void expect(Lowering& step, std::string_view key, std::int64_t value) {
  const std::int64_t found = step.node.integer(key, value);
  if (found != value) throw UnsupportedError(fmt::format("{} = {}; expected {}", key, found, value));
  take_out(step, key);
}

// --- axes and other lists: attributes at first, inputs later ---
void axes_to_input(Lowering& step) { integers_to_input(step, "axes", 1); }
/// Opset 17 has the axes of all reductions but ReduceSum as attribute, 18 as input.
void axes_to_attribute(Lowering& step) {
  if (step.has_input(1)) {
    const graph::Value& axes = step.value(step.node.inputs[1]);
    if (!axes.integers)
      throw UnsupportedError(fmt::format("its axes ('{}') are computed at run time; expected a constant", axes.name));
    if (!axes.integers->empty()) step.node.attributes["axes"] = *axes.integers;
  }
  const bool empty = !step.node.attributes.contains("axes");
  if (empty && step.node.integer("noop_with_empty_axes", 0) != 0) {
    step.node.op = "Identity";
    step.node.attributes.clear();
  }
  step.node.inputs.resize(1);
  take_out(step, "noop_with_empty_axes");
}
void split_to_input(Lowering& step) { integers_to_input(step, "split", 1); }
/// Equal parts, the last one smaller: the number is that of the outputs.
void split_18(Lowering& step) {
  const std::int64_t outputs = step.proto.output_size();
  if (step.node.integer("num_outputs", outputs) != outputs)
    throw FormatError(fmt::format("num_outputs = {}; it has {}", step.node.integer("num_outputs", 0), outputs));
}
void clip_7(Lowering& step) {
  number_to_input(step, "min", 1);
  number_to_input(step, "max", 2);
}
void pad_7(Lowering& step) {
  integers_to_input(step, "pads", 1);
  number_to_input(step, "value", 2);
}
void slice_7(Lowering& step) {
  integers_to_input(step, "starts", 1);
  integers_to_input(step, "ends", 2);
  integers_to_input(step, "axes", 3);
}

// --- normalisation ---
/// Always with its running statistics; what training mode gives besides is left out.
void batch_normalization(Lowering& step) {
  expect(step, "spatial", 1);
  take_out(step, "training_mode");
  take_out(step, "is_test");
  // From opset 14 on the running variance is the population's (the operator's specification).
  if (step.opset >= 14)
    step.node.attributes[std::string(graph::kStoredVariance)] =
        std::string(graph::name_of(graph::StoredVariance::population));
}
/// Before 13 all axes from `axis` on count as one; how many there are is known once the shapes are.
void softmax_7(Lowering& step) {
  step.node.attributes.try_emplace("axis", std::int64_t{1});
  step.node.attributes[std::string(graph::kAxesTogether)] = std::int64_t{1};
}
/// The default axis of the internal form is written out, so that it does not depend on who reads it.
void softmax_13(Lowering& step) { step.node.attributes.try_emplace("axis", std::int64_t{-1}); }

const graph::Value& constant_vector(Lowering& step, std::size_t index, std::string_view what) {
  const graph::Value& value = step.value(step.node.inputs.at(index));
  if (!value.tensor || value.shape->rank() != 1)
    throw UnsupportedError(fmt::format("its {} is computed at run time; expected a constant vector", what));
  return value;
}

/// As an InstanceNormalization over groups, then scale and shift of each channel. In 18 they were given per group.
void group_normalization(Lowering& step) {
  const std::int64_t groups = step.node.integer("num_groups", 0);
  if (groups < 1) throw FormatError(fmt::format("num_groups = {}; expected 1 or more", groups));
  const ValueId x = step.node.inputs.at(0), shape = step.add("Shape", "shape", {x}, {});
  const ValueId grouped = step.add("Reshape", "groups", {x, step.integers({0, groups, -1}, false)}, {});
  const std::vector<float> ones(static_cast<std::size_t>(groups), 1.0f), zeros(static_cast<std::size_t>(groups), 0.0f);
  const ValueId normal =
      step.add("InstanceNormalization", "normalised", {grouped, step.floats(ones, false), step.floats(zeros, false)},
               {{"epsilon", step.node.number("epsilon", 1e-5f)}});
  const bool per_group = step.opset < 21;
  const auto along_channels = [&](std::size_t index, std::string_view what) {
    const graph::Value& vector = constant_vector(step, index, what);
    if (per_group && vector.shape->elements() != groups)
      throw ShapeError(fmt::format("its {} has shape {}; expected [{}]", what, vector.shape->text(), groups));
    return step.floats(std::vector<float>(vector.tensor->values.begin(), vector.tensor->values.end()), false);
  };
  const ValueId scale = along_channels(1, "scale"), bias = along_channels(2, "bias");
  const ValueId column = step.integers({1, -1, 1}, false);
  if (per_group) {
    const ValueId scaled = step.add("Mul", "scaled", {normal, step.add("Reshape", "scale", {scale, column}, {})}, {});
    const ValueId moved = step.add("Add", "moved", {scaled, step.add("Reshape", "bias", {bias, column}, {})}, {});
    step.node.op = "Reshape";
    step.node.inputs = {moved, shape};
  } else {
    const ValueId channels = step.integers({0, step.value(step.node.inputs[1]).shape->elements(), -1}, false);
    const ValueId flat = step.add("Reshape", "channels", {normal, channels}, {});
    const ValueId scaled = step.add("Mul", "scaled", {flat, step.add("Reshape", "scale", {scale, column}, {})}, {});
    const ValueId moved = step.add("Add", "moved", {scaled, step.add("Reshape", "bias", {bias, column}, {})}, {});
    step.node.op = "Reshape";
    step.node.inputs = {moved, shape};
  }
  step.node.attributes.clear();
}

// --- resizing ---
void set_resize(Lowering& step, ValueId scales) {
  step.node.op = "Resize";
  step.node.inputs = {step.node.inputs.at(0), kNone, scales};
  step.node.attributes["coordinate_transformation_mode"] = std::string("asymmetric");
  step.node.attributes["nearest_mode"] = std::string("floor");
  if (step.node.text("mode", "nearest") == "bilinear") step.node.attributes["mode"] = std::string("linear");
}
void upsample_7(Lowering& step) {
  const auto it = step.node.attributes.find("scales");
  if (it == step.node.attributes.end() || !std::holds_alternative<std::vector<float>>(it->second))
    throw FormatError("has no scales");
  const ValueId scales = step.floats(std::get<std::vector<float>>(it->second), false);
  take_out(step, "scales");
  set_resize(step, scales);
}
void upsample_9(Lowering& step) { set_resize(step, step.node.inputs.at(1)); }

// --- activations that came later ---
/// x tanh(softplus(x)).
void mish_18(Lowering& step) {
  const ValueId x = step.node.inputs.at(0);
  const ValueId gate = step.add("Tanh", "gate", {step.add("Softplus", "softplus", {x}, {})}, {});
  step.node.op = "Mul";
  step.node.inputs = {x, gate};
}
/// x/2 (1 + erf(x / sqrt 2)), or with tanh(sqrt(2 / pi) (x + 0.044715 x^3)) in place of erf.
void gelu_20(Lowering& step) {
  const ValueId x = step.node.inputs.at(0);
  const auto times = [&](std::string_view part, ValueId a, float b) {
    return step.add("Mul", part, {a, step.floats({b}, true)}, {});
  };
  const std::string kind = step.node.text("approximate", "none");
  ValueId gate = kNone;
  if (kind == "tanh") {
    const ValueId cube = step.add("Mul", "cube", {step.add("Mul", "square", {x, x}, {}), x}, {});
    const ValueId sum = step.add("Add", "sum", {x, times("part", cube, 0.044715f)}, {});
    gate = step.add("Tanh", "gate", {times("argument", sum, 0.7978845608f)}, {});
  } else if (kind == "none") {
    gate = step.add("Erf", "gate", {times("argument", x, 0.7071067812f)}, {});
  } else {
    throw UnsupportedError(fmt::format("approximate = {}; expected none or tanh", kind));
  }
  const ValueId share = step.add("Add", "share", {gate, step.floats({1.0f}, true)}, {});
  step.node.op = "Mul";
  step.node.inputs = {times("half", x, 0.5f), share};
  step.node.attributes.clear();
}

/// x sigmoid(alpha x).
void swish_24(Lowering& step) {
  const ValueId x = step.node.inputs.at(0);
  const float alpha = step.node.number("alpha", 1.0f);
  const ValueId scaled = alpha == 1.0f ? x : step.add("Mul", "scaled", {x, step.floats({alpha}, true)}, {});
  step.node.op = "Mul";
  step.node.inputs = {x, step.add("Sigmoid", "gate", {scaled}, {})};
  step.node.attributes.clear();
}

// --- constants ---
void constant(Lowering& step) {
  for (const onnx::AttributeProto& attribute : step.proto.attribute()) {
    const std::string& key = attribute.name();
    step.node.op = "Identity";
    step.node.attributes.clear();
    if (key == "value") {
      step.node.inputs = {step.tensor(attribute.t())};
    } else if (key == "value_float") {
      step.node.inputs = {step.floats({attribute.f()}, true)};
    } else if (key == "value_floats") {
      step.node.inputs = {step.floats({attribute.floats().begin(), attribute.floats().end()}, false)};
    } else if (key == "value_int") {
      step.node.inputs = {step.integers({attribute.i()}, true)};
    } else if (key == "value_ints") {
      step.node.inputs = {step.integers({attribute.ints().begin(), attribute.ints().end()}, false)};
    } else {
      throw UnsupportedError(fmt::format("a constant given as {}; expected numbers", key));
    }
    return;
  }
  throw FormatError("has no value");
}
void constant_of_shape(Lowering& step) {
  step.node.attributes["value"] = 0.0f;
  for (const onnx::AttributeProto& attribute : step.proto.attribute()) {
    if (attribute.name() != "value") continue;
    const graph::Value& value = step.value(step.tensor(attribute.t()));
    if (value.shape->elements() != 1)
      throw FormatError(fmt::format("its value has shape {}; expected one element", value.shape->text()));
    if (value.integers)
      step.node.attributes["value"] = value.integers->at(0);
    else
      step.node.attributes["value"] = value.tensor->values.at(0);
  }
}
/// Between floating-point types nothing changes: the network runs in float32.
void cast(Lowering& step) {
  constexpr std::array<std::int64_t, 4> kFloating{onnx::TensorProto::FLOAT, onnx::TensorProto::FLOAT16,
                                                  onnx::TensorProto::DOUBLE, onnx::TensorProto::BFLOAT16};
  const std::int64_t to = step.node.integer("to", 0);
  take_out(step, "saturate");
  if (std::find(kFloating.begin(), kFloating.end(), to) != kFloating.end())
    step.node.attributes["to"] = std::int64_t{onnx::TensorProto::FLOAT};
}
/// The order counts for the indices alone.
void max_pool(Lowering& step) {
  if (step.proto.output_size() > 1) expect(step, "storage_order", 0);
  take_out(step, "storage_order");
}
void dropout(Lowering& step) {
  step.node.inputs.resize(1);
  step.node.attributes.clear();
}

/// Sorted by operator and opset. Operators not listed here are not read.
constexpr std::array kForms{
    OperatorForm{"Abs", 1, same},
    OperatorForm{"Acos", 7, same},
    OperatorForm{"Acosh", 9, same},
    OperatorForm{"Add", 7, same},
    OperatorForm{"And", 7, same},
    OperatorForm{"ArgMax", 1, same},
    OperatorForm{"ArgMin", 1, same},
    OperatorForm{"Asin", 7, same},
    OperatorForm{"Asinh", 9, same},
    OperatorForm{"Atan", 7, same},
    OperatorForm{"Atanh", 9, same},
    OperatorForm{"AveragePool", 7, same},
    OperatorForm{"BatchNormalization", 7, batch_normalization},
    OperatorForm{"Cast", 6, cast},
    OperatorForm{"Ceil", 1, same},
    OperatorForm{"Celu", 12, same},
    OperatorForm{"Clip", 6, clip_7},
    OperatorForm{"Clip", 11, same},
    OperatorForm{"Concat", 4, same},
    OperatorForm{"Constant", 1, constant},
    OperatorForm{"ConstantOfShape", 9, constant_of_shape},
    OperatorForm{"Conv", 1, same},
    OperatorForm{"ConvTranspose", 1, same},
    OperatorForm{"Cos", 7, same},
    OperatorForm{"Cosh", 9, same},
    OperatorForm{"DepthToSpace", 1, same},
    OperatorForm{"Div", 7, same},
    OperatorForm{"Dropout", 7, dropout},
    OperatorForm{"Elu", 6, same},
    OperatorForm{"Equal", 7, same},
    OperatorForm{"Erf", 9, same},
    OperatorForm{"Exp", 6, same},
    OperatorForm{"Expand", 8, same},
    OperatorForm{"Flatten", 1, same},
    OperatorForm{"Floor", 6, same},
    OperatorForm{"Gather", 1, same},
    OperatorForm{"GatherElements", 11, same},
    OperatorForm{"Gelu", 20, gelu_20},
    OperatorForm{"Gemm", 7, same},
    OperatorForm{"GlobalAveragePool", 1, same},
    OperatorForm{"GlobalLpPool", 2, same},
    OperatorForm{"GlobalMaxPool", 1, same},
    OperatorForm{"Greater", 7, same},
    OperatorForm{"GreaterOrEqual", 12, same},
    OperatorForm{"GroupNormalization", 18, group_normalization},
    OperatorForm{"HardSigmoid", 6, same},
    OperatorForm{"HardSwish", 14, same},
    OperatorForm{"Hardmax", 1, softmax_7},
    OperatorForm{"Hardmax", 13, softmax_13},
    OperatorForm{"Identity", 1, same},
    OperatorForm{"InstanceNormalization", 6, same},
    OperatorForm{"IsInf", 10, same},
    OperatorForm{"IsNaN", 9, same},
    OperatorForm{"LRN", 1, same},
    OperatorForm{"LayerNormalization", 17, same},
    OperatorForm{"LeakyRelu", 6, same},
    OperatorForm{"Less", 7, same},
    OperatorForm{"LessOrEqual", 12, same},
    OperatorForm{"Log", 6, same},
    OperatorForm{"LogSoftmax", 1, softmax_7},
    OperatorForm{"LogSoftmax", 13, softmax_13},
    OperatorForm{"LpNormalization", 1, same},
    OperatorForm{"LpPool", 2, same},
    OperatorForm{"MatMul", 1, same},
    OperatorForm{"Max", 6, same},
    OperatorForm{"MaxPool", 1, max_pool},
    OperatorForm{"Mean", 6, same},
    OperatorForm{"MeanVarianceNormalization", 9, same},
    OperatorForm{"Min", 6, same},
    OperatorForm{"Mish", 18, mish_18},
    OperatorForm{"Mod", 10, same},
    OperatorForm{"Mul", 7, same},
    OperatorForm{"Neg", 6, same},
    OperatorForm{"Not", 1, same},
    OperatorForm{"Or", 7, same},
    OperatorForm{"PRelu", 7, same},
    OperatorForm{"Pad", 2, pad_7},
    OperatorForm{"Pad", 11, same},
    OperatorForm{"Pow", 7, same},
    OperatorForm{"Range", 11, same},
    OperatorForm{"Reciprocal", 6, same},
    OperatorForm{"ReduceL1", 1, axes_to_attribute},
    OperatorForm{"ReduceL2", 1, axes_to_attribute},
    OperatorForm{"ReduceLogSum", 1, axes_to_attribute},
    OperatorForm{"ReduceLogSumExp", 1, axes_to_attribute},
    OperatorForm{"ReduceMax", 1, axes_to_attribute},
    OperatorForm{"ReduceMean", 1, axes_to_attribute},
    OperatorForm{"ReduceMin", 1, axes_to_attribute},
    OperatorForm{"ReduceProd", 1, axes_to_attribute},
    OperatorForm{"ReduceSum", 1, axes_to_input},
    OperatorForm{"ReduceSum", 13, same},
    OperatorForm{"ReduceSumSquare", 1, axes_to_attribute},
    OperatorForm{"Relu", 6, same},
    OperatorForm{"Reshape", 5, same},
    OperatorForm{"Resize", 10, upsample_9},
    OperatorForm{"Resize", 11, same},
    OperatorForm{"Round", 11, same},
    OperatorForm{"Selu", 6, same},
    OperatorForm{"Shape", 1, same},
    OperatorForm{"Shrink", 9, same},
    OperatorForm{"Sigmoid", 6, same},
    OperatorForm{"Sign", 9, same},
    OperatorForm{"Sin", 7, same},
    OperatorForm{"Sinh", 9, same},
    OperatorForm{"Size", 1, same},
    OperatorForm{"Slice", 1, slice_7},
    OperatorForm{"Slice", 10, same},
    OperatorForm{"Softmax", 1, softmax_7},
    OperatorForm{"Softmax", 13, softmax_13},
    OperatorForm{"Softplus", 1, same},
    OperatorForm{"Softsign", 1, same},
    OperatorForm{"SpaceToDepth", 1, same},
    OperatorForm{"Split", 2, split_to_input},
    OperatorForm{"Split", 13, same},
    OperatorForm{"Split", 18, split_18},
    OperatorForm{"Sqrt", 6, same},
    OperatorForm{"Squeeze", 1, axes_to_input},
    OperatorForm{"Squeeze", 13, same},
    OperatorForm{"Sub", 7, same},
    OperatorForm{"Sum", 6, same},
    OperatorForm{"Swish", 24, swish_24},
    OperatorForm{"Tan", 7, same},
    OperatorForm{"Tanh", 6, same},
    OperatorForm{"ThresholdedRelu", 10, same},
    OperatorForm{"Tile", 6, same},
    OperatorForm{"Transpose", 1, same},
    OperatorForm{"Unsqueeze", 1, axes_to_input},
    OperatorForm{"Unsqueeze", 13, same},
    OperatorForm{"Upsample", 7, upsample_7},
    OperatorForm{"Upsample", 9, upsample_9},
    OperatorForm{"Where", 9, same},
    OperatorForm{"Xor", 7, same},
};
static_assert(std::is_sorted(kForms.begin(), kForms.end(),
                             [](const OperatorForm& a, const OperatorForm& b) {
                               return a.op != b.op ? a.op < b.op : a.since < b.since;
                             }),
              "find_form searches by halves");

}  // namespace

const OperatorForm* find_form(std::string_view op, std::int64_t opset) {
  // The last row of this operator that is not newer than the opset.
  const auto it = std::upper_bound(
      kForms.begin(), kForms.end(), opset,
      [op](std::int64_t since, const OperatorForm& form) { return form.op != op ? op < form.op : since < form.since; });
  return it != kForms.begin() && std::prev(it)->op == op ? &*std::prev(it) : nullptr;
}

}  // namespace shiftnorm::formats
