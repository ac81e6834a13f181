#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "exec/against_reference.hpp"
#include "exec/random_network.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/exec/reference.hpp"

using namespace shiftnorm;
using namespace shiftnorm::test;
using graph::kNone;

namespace {

using Attributes = std::map<std::string, graph::Attribute>;
using Words = std::string;

/// One operator form on the activation x, of 12 channels and 6 x 8 pixels unless `shape` says otherwise.
struct Form {
  std::string op;
  Attributes attributes;
  /// The node's other inputs; kNone for absent ones.
  std::function<std::vector<ValueId>(Graph&)> others = [](Graph&) { return std::vector<ValueId>{}; };
  std::size_t outputs = 1;
};

Form plain(std::string op, Attributes attributes = {}) { return {std::move(op), std::move(attributes)}; }

Form with(std::string op, const Shape& constant, Attributes attributes = {}) {
  return {std::move(op), std::move(attributes),
          [constant](Graph& g) { return std::vector{g.add_parameter("constant", constant)}; }};
}

Form with_integers(std::string op, const std::vector<Ints>& constants, Attributes attributes = {},
                   std::size_t outputs = 1) {
  return {std::move(op), std::move(attributes),
          [constants](Graph& g) {
            std::vector<ValueId> ids;
            ids.reserve(constants.size());
            for (const Ints& c : constants) ids.push_back(g.add_constant("constant", c));
            return ids;
          },
          outputs};
}

Form resize(const std::vector<float>& scales, Attributes attributes) {
  return {"Resize", std::move(attributes), [scales](Graph& g) {
            const ValueId id = g.add_parameter("scales", Shape{static_cast<std::int64_t>(scales.size())});
            g.value(id).tensor = Tensor(Shape{static_cast<std::int64_t>(scales.size())}, scales);
            return std::vector{kNone, id};
          }};
}

const Ints kWindow{3, 2};

std::vector<Form> forms() {
  std::vector<Form> out;
  for (const char* op : {"Abs",
                         "Acos",
                         "Acosh",
                         "Asin",
                         "Asinh",
                         "Atan",
                         "Atanh",
                         "Ceil",
                         "Celu",
                         "Cos",
                         "Cosh",
                         "Elu",
                         "Erf",
                         "Exp",
                         "Floor",
                         "Gelu",
                         "HardSigmoid",
                         "HardSwish",
                         "Identity",
                         "IsInf",
                         "IsNaN",
                         "LeakyRelu",
                         "Log",
                         "Mish",
                         "Neg",
                         "Not",
                         "Reciprocal",
                         "Relu",
                         "Round",
                         "Selu",
                         "Shrink",
                         "Sigmoid",
                         "Sign",
                         "Sin",
                         "Sinh",
                         "Softplus",
                         "Softsign",
                         "Sqrt",
                         "Tan",
                         "Tanh",
                         "ThresholdedRelu",
                         "Dropout",
                         "Flatten",
                         "Hardmax",
                         "Softmax",
                         "LogSoftmax",
                         "LpNormalization",
                         "GlobalAveragePool",
                         "GlobalMaxPool",
                         "GlobalLpPool"})
    out.push_back(plain(op));
  out.push_back(plain("Gelu", {{"approximate", Words("tanh")}}));
  out.push_back(plain("LeakyRelu", {{"alpha", 0.3f}}));
  out.push_back(plain("Elu", {{"alpha", 0.3f}}));
  out.push_back(plain("Celu", {{"alpha", 0.3f}}));
  for (const std::int64_t to : {1, 7, 9}) out.push_back(plain("Cast", {{"to", to}}));
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Mean", "Sum", "PRelu", "Less", "Equal",
                         "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor"}) {
    for (const Shape& shape : {Shape{}, Shape{12, 1, 1}, Shape{1, 12, 1, 1}, Shape{1, 12, 6, 8}, Shape{6, 1}})
      out.push_back(with(op, shape));
  }
  out.push_back(with("Mod", Shape{12, 1, 1}, {{"fmod", std::int64_t{1}}}));
  out.push_back({"Where", {}, [](Graph& g) {
                   return std::vector{g.add_parameter("yes", Shape{12, 1, 1}), g.add_parameter("no", Shape{})};
                 }});
  out.push_back({"Clip", {}, [](Graph& g) { return std::vector{g.add_parameter("low", Shape{})}; }});
  for (const char* op : {"AveragePool", "MaxPool", "LpPool"}) {
    out.push_back(plain(op, {{"kernel_shape", kWindow}, {"pads", Ints{1, 0, 2, 1}}, {"strides", Ints{2, 1}}}));
    out.push_back(plain(op, {{"kernel_shape", kWindow}, {"auto_pad", Words("SAME_LOWER")}, {"strides", Ints{2, 2}}}));
    out.push_back(plain(op, {{"kernel_shape", kWindow}, {"dilations", Ints{2, 2}}}));
  }
  out.push_back(plain("AveragePool", {{"kernel_shape", kWindow},
                                      {"pads", Ints{1, 1, 1, 1}},
                                      {"ceil_mode", std::int64_t{1}},
                                      {"strides", Ints{2, 2}},
                                      {"count_include_pad", std::int64_t{1}}}));
  out.push_back({"MaxPool", {{"kernel_shape", kWindow}}, [](Graph&) { return std::vector<ValueId>{}; }, 2});
  out.push_back(with("Conv", Shape{9, 4, 3, 3}, {{"group", std::int64_t{3}}, {"auto_pad", Words("SAME_UPPER")}}));
  const auto transposed = [&](const Shape& weights, Attributes attributes) {
    out.push_back({"ConvTranspose", std::move(attributes),
                   [weights](Graph& g) { return std::vector{g.add_parameter("w", weights)}; }});
  };
  transposed(Shape{12, 5, 3, 2}, {});
  transposed(Shape{12, 16, 4, 4}, {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}});
  transposed(Shape{12, 5, 3, 3}, {{"strides", Ints{2, 3}}, {"output_padding", Ints{1, 2}}, {"pads", Ints{1, 0, 2, 1}}});
  transposed(Shape{12, 2, 3, 3}, {{"group", std::int64_t{4}}, {"dilations", Ints{2, 1}}});
  transposed(Shape{12, 1, 2, 2}, {{"group", std::int64_t{12}}, {"strides", Ints{2, 2}}});
  transposed(Shape{12, 4, 3, 3}, {{"output_shape", Ints{14, 18}}, {"strides", Ints{2, 2}}});
  transposed(Shape{12, 4, 3, 3}, {{"auto_pad", Words("SAME_UPPER")}, {"strides", Ints{2, 2}}});
  for (const std::int64_t size : {3, 4, 5})
    out.push_back(plain("LRN", {{"size", size}, {"alpha", 0.5f}, {"beta", 0.75f}, {"bias", 2.0f}}));
  out.push_back(plain("MeanVarianceNormalization", {{"axes", Ints{2, 3}}}));
  out.push_back({"InstanceNormalization", {}, [](Graph& g) {
                   return std::vector{g.add_parameter("scale", Shape{12}), g.add_parameter("shift", Shape{12})};
                 }});
  out.push_back({"LayerNormalization",
                 {{"axis", std::int64_t{2}}},
                 [](Graph& g) {
                   return std::vector{g.add_parameter("scale", Shape{6, 8}), g.add_parameter("shift", Shape{8})};
                 },
                 3});
  for (const char* op : {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
                         "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"}) {
    out.push_back(with_integers(op, {{1, -1}}));
    out.push_back(plain(op, {{"axes", Ints{2, 3}}, {"keepdims", std::int64_t{0}}}));
  }
  for (const char* op : {"ArgMax", "ArgMin"}) out.push_back(plain(op, {{"axis", std::int64_t{1}}}));
  for (const char* op : {"Softmax", "LogSoftmax", "Hardmax"}) out.push_back(plain(op, {{"axis", std::int64_t{1}}}));
  out.push_back(with("MatMul", Shape{8, 5}));
  out.push_back(with("MatMul", Shape{12, 8, 5}));
  out.push_back(with("MatMul", Shape{8}));
  out.push_back(plain("DepthToSpace", {{"blocksize", std::int64_t{2}}}));
  out.push_back(plain("DepthToSpace", {{"blocksize", std::int64_t{2}}, {"mode", Words("CRD")}}));
  out.push_back(plain("SpaceToDepth", {{"blocksize", std::int64_t{2}}}));
  out.push_back(plain("Transpose", {{"perm", Ints{0, 2, 3, 1}}}));
  out.push_back(plain("Transpose", {{"perm", Ints{0, 3, 1, 2}}}));
  out.push_back(with_integers("Tile", {{1, 2, 1, 3}}));
  out.push_back(with_integers("Expand", {{1, 12, 6, 8}}));
  for (const Ints& shape : std::vector<Ints>{{0, -1}, {1, 6, 2, 48}, {-1, 4, 3, 6, 8}, {1, 12, 48}})
    out.push_back(with_integers("Reshape", {shape}));
  out.push_back(with_integers("Unsqueeze", {{2, -1}}));
  out.push_back(with_integers("Slice", {{-1, 1}, {-100, 5}, {1, 2}, {-2, 3}}));
  out.push_back(with_integers("Slice", {{2}, {1 << 30}, {3}}));
  for (const char* mode : {"constant", "reflect", "edge", "wrap"})
    out.push_back(with_integers("Pad", {{0, 1, 2, -1, 0, 3, 1, 4}}, {{"mode", Words(mode)}}));
  out.push_back(with_integers("Gather", {{3, -1, 0}}, {{"axis", std::int64_t{1}}}));
  out.push_back(with_integers("Gather", {{3, -1, 0}}, {{"axis", std::int64_t{2}}}));
  out.push_back(with_integers("Split", {{5, 7}}, {{"axis", std::int64_t{1}}}, 2));
  out.push_back(with_integers("Split", {}, {{"axis", std::int64_t{3}}, {"num_outputs", std::int64_t{3}}}, 3));
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    for (const char* coordinates : {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"})
      out.push_back(
          resize({1, 1, 2.0f, 0.6f}, {{"mode", Words(mode)}, {"coordinate_transformation_mode", Words(coordinates)}}));
  }
  return out;
}

}  // namespace

// Law: an operator with a shape has a kernel and the reverse.
TEST_CASE("Shape inference and kernels list the same operators", "[exec]") {
  std::vector<std::string> shapes, kernels;
  for (const graph::OpSpec& op : graph::operators()) shapes.emplace_back(op.op);
  for (const exec::ReferenceOp& op : exec::reference_operators()) kernels.emplace_back(op.op);
  CHECK(shapes == kernels);
}

// Oracle: the plain loops.
TEST_CASE("Every operator form compiles to what its plain loops give", "[exec]") {
  for (const Form& form : forms()) {
    for (const bool blocked : {true, false}) {
      CAPTURE(form.op, blocked);
      Graph g;
      const ValueId image = g.add_input("x", Shape{1, 12, 6, 8});
      // A window of one cell leaves every value as it is, in blocks of channels.
      const ValueId x = blocked ? g.add("MaxPool", "before", {image}, {{"kernel_shape", Ints{1, 1}}}) : image;
      std::vector<ValueId> inputs{x};
      for (const ValueId id : form.others(g)) inputs.push_back(id);
      g.add(form.op, "node", inputs, form.attributes, form.outputs);
      const std::vector<ValueId> outputs = g.nodes().back().outputs;
      check_against_reference(g, outputs);
    }
  }
}

// Oracle: the plain loops, which have no padding channels.
TEST_CASE("Functions that are infinite at zero leave the padding channels finite", "[exec]") {
  const std::string op = GENERATE("Log", "Reciprocal", "Div");
  Graph g;
  const ValueId x = g.add("Abs", "abs", {conv(g, "before", g.add_input("x", Shape{1, 3, 6, 8}), 3, 11)});
  const ValueId offset = g.add_parameter("offset", Shape{});
  g.value(offset).tensor = Tensor(Shape{}, std::vector<float>{1.0f});
  std::vector<ValueId> in{g.add("Add", "above zero", {x, offset})};
  if (op == "Div") in.push_back(in[0]);
  check_against_reference(g, {conv(g, "after", g.add(op, "node", in), 11, 5)});
}

// Oracle: the plain loops, whose functions are the standard library's.
TEST_CASE("Functions hold far from zero", "[exec]") {
  for (const char* op : {"Elu", "Erf", "Exp", "Gelu", "HardSwish", "LeakyRelu", "Mish", "Selu", "Sigmoid", "Softplus",
                         "Softsign", "Tanh"}) {
    CAPTURE(op);
    Graph g;
    const ValueId factor = g.add_parameter("factor", Shape{});
    g.value(factor).tensor = Tensor(Shape{}, std::vector<float>{60.0f});
    const ValueId x = g.add("Mul", "far", {g.add_input("x", Shape{1, 3, 40, 40}), factor});
    check_against_reference(g, {g.add(op, "node", {x})});
  }
}

// Oracle: the plain loops.
TEST_CASE("Transposed convolutions and pools of one and three axes", "[exec]") {
  Graph g;
  SECTION("one") {
    const ValueId x = g.add_input("x", Shape{1, 6, 17});
    const ValueId y =
        g.add("ConvTranspose", "up", {x, g.add_parameter("w", Shape{6, 10, 4}), g.add_parameter("b", Shape{10})},
              {{"strides", Ints{2}}, {"pads", Ints{1, 1}}});
    check_against_reference(g, {g.add("LRN", "lrn", {y}, {{"size", std::int64_t{3}}}),
                                g.add("MaxPool", "pool", {y}, {{"kernel_shape", Ints{3}}, {"dilations", Ints{2}}})});
  }
  SECTION("three") {
    const ValueId x = g.add_input("x", Shape{1, 6, 5, 6, 7});
    const ValueId y = g.add("ConvTranspose", "up", {x, g.add_parameter("w", Shape{6, 4, 2, 3, 2})},
                            {{"strides", Ints{2, 1, 2}}, {"group", std::int64_t{2}}});
    check_against_reference(
        g, {g.add("AveragePool", "pool", {y}, {{"kernel_shape", Ints{2, 3, 2}}, {"pads", Ints{0, 1, 1, 0, 1, 0}}}),
            g.add("GlobalMaxPool", "max", {y})});
  }
  SECTION("four") {
    const ValueId x = g.add_input("x", Shape{1, 2, 3, 4, 3, 4});
    const ValueId y = g.add("Conv", "conv", {x, g.add_parameter("w", Shape{3, 2, 2, 2, 2, 2})});
    check_against_reference(g, {g.add("MaxPool", "pool", {y}, {{"kernel_shape", Ints{2, 2, 1, 1}}})});
  }
}

// Oracle: the plain loops.
TEST_CASE("Rows against a matrix, a bias of any form, a channel shuffle, statistics behind them", "[exec]") {
  Graph g;
  SECTION("rows") {
    const ValueId x = g.add_input("x", Shape{1, 9, 10});
    const ValueId y = g.add("MatMul", "rows", {x, g.add_parameter("w", Shape{10, 7})});
    check_against_reference(g, {g.add("Add", "bias", {y, g.add_parameter("b", Shape{7})})});
  }
  SECTION("attention") {
    const ValueId x = g.add_input("x", Shape{1, 9, 10});
    const ValueId scores = g.add("MatMul", "s", {x, g.add("Transpose", "t", {x}, {{"perm", Ints{0, 2, 1}}})});
    check_against_reference(g, {g.add("MatMul", "mix", {g.add("Softmax", "p", {scores}), x})});
  }
  SECTION("bias") {
    const Shape bias = GENERATE(Shape{}, Shape{1}, Shape{5}, Shape{1, 5}, Shape{1, 1});
    const ValueId x = g.add_input("x", Shape{1, 10});
    check_against_reference(g, {g.add("Gemm", "fc", {x, g.add_parameter("w", Shape{10, 5}), g.add_parameter("b", bias)},
                                      {{"beta", 0.5f}})});
  }
  SECTION("shuffle") {
    const ValueId x = conv(g, "c0", g.add_input("x", Shape{1, 3, 7, 5}), 3, 12);
    const ValueId split = g.add("Reshape", "split", {x, g.add_constant("s", {0, 3, 4, 7, 5})});
    const ValueId turned = g.add("Transpose", "turn", {split}, {{"perm", Ints{0, 2, 1, 3, 4}}});
    const ValueId joined = g.add("Reshape", "join", {turned, g.add_constant("j", {0, 12, 7, 5})});
    check_against_reference(g, {norm(g, "bn", joined, 12)});
  }
}

// Oracle: the plain loops.
TEST_CASE("Values that no image reaches are worked out once, and may be outputs", "[exec]") {
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 6});
  const ValueId turned = g.add("Transpose", "turn", {g.add_parameter("w", Shape{4, 6})});
  const ValueId y = g.add("MatMul", "product", {x, turned});
  check_against_reference(g, {y, turned, g.add("Gemm", "again", {x, turned}), y});
}

// Oracle: the plain loops.
TEST_CASE("Images may be counted along a later axis in between", "[exec]") {
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 7, 10});
  const ValueId sequence = g.add("Transpose", "sequence first", {x}, {{"perm", Ints{1, 0, 2}}});
  const ValueId rows = g.add("Relu", "relu", {g.add("MatMul", "rows", {sequence, g.add_parameter("w", Shape{10, 3})})});
  const ValueId joined = g.add("Concat", "join", {rows, rows}, {{"axis", std::int64_t{0}}});
  check_against_reference(g, {g.add("Transpose", "back", {joined}, {{"perm", Ints{1, 0, 2}}})});
}

// 100 000 nodes in a row: neither the call stack nor the square of the number of nodes may limit a file.
// Oracle: an even number of negations is the identity.
TEST_CASE("A network may be as deep as its file says", "[exec]") {
  Graph g;
  ValueId x = g.add_input("x", Shape{1, 3});
  for (int i = 0; i < 100000; ++i) x = g.add("Neg", "n", {x});
  finish(g, x);
  CHECK(run_compiled(g, std::vector<float>{1, 2, 3}).front() == std::vector<float>{1, 2, 3});
}

// Law: statistics over images of a value that no image changes are none.
TEST_CASE("A BatchNorm that no image reaches has nothing to measure", "[exec]") {
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 4});
  const ValueId constant = norm(g, "bn", g.add_parameter("c", Shape{1, 4}), 4);
  finish(g, g.add("Add", "a", {x, constant}));
  CHECK_THROWS_WITH(exec::Plan(g), Catch::Matchers::Contains(
                                       "node 'bn': BatchNormalization of a value that does not depend on the image"));
}
