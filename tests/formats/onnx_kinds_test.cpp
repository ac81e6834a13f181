// Oracles: the operators' specifications, and laws (a model whose functions are written out is the same model). Values
// are compared with ONNX Runtime in tests/parity/onnx_kinds_parity.py.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "formats/onnx_builder.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/graph/marks.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::formats;
using Catch::Matchers::Contains;
using test::OnnxBuilder;

namespace {

/// The first layer's output names, its attributes and the opset decide.
OnnxBuilder two_layers(std::int64_t opset) {
  OnnxBuilder builder({0, 2, 2, 2}, opset);
  return builder.batch_norm("a", "x", "h").batch_norm("b", "h", "y");
}

onnx::NodeProto& first(OnnxBuilder& builder) { return *builder.graph().mutable_node(0); }

onnx::FunctionProto& function(OnnxBuilder& builder, const std::string& name, const std::vector<std::string>& inputs,
                              const std::string& output) {
  onnx::FunctionProto& function = *builder.model().add_functions();
  function.set_domain("own");
  function.set_name(name);
  for (const std::string& input : inputs) function.add_input(input);
  function.add_output(output);
  function.add_opset_import()->set_version(13);
  return function;
}

onnx::NodeProto& add_node(onnx::FunctionProto& function, const std::string& domain, const std::string& op,
                          const std::vector<std::string>& inputs, const std::string& output) {
  onnx::NodeProto& node = *function.add_node();
  node.set_domain(domain);
  node.set_op_type(op);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

const std::vector<std::string> kVectors{"bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"};

/// x through `own.norm` into y; the vectors are the graph's.
OnnxBuilder with_norm_function() {
  OnnxBuilder builder;
  builder.batch_norm("bn", "x", "y");
  onnx::NodeProto& call = first(builder);
  call.set_op_type("norm");
  call.set_domain("own");
  builder.model().add_opset_import()->set_domain("own");
  builder.model().mutable_opset_import(1)->set_version(1);
  add_node(function(builder, "norm", {"a", "g", "b", "m", "v"}, "o"), "", "BatchNormalization",
           {"a", "g", "b", "m", "v"}, "o");
  return builder;
}

}  // namespace

// Oracle: ONNX's BatchNormalization-9 and -14: several outputs, or training_mode = 1.
TEST_CASE("BatchNormalizations in training mode are known, by attribute from opset 14 on and by outputs before") {
  const auto [opset, outputs, attribute, training] = GENERATE(table<std::int64_t, int, int, bool>({{9, 4, -1, true},
                                                                                                   {13, 1, -1, true},
                                                                                                   {13, 0, -1, false},
                                                                                                   {14, 2, 1, true},
                                                                                                   {17, 0, 1, true},
                                                                                                   {17, 0, 0, false}}));
  CAPTURE(opset, outputs, attribute);
  OnnxBuilder builder = two_layers(opset);
  for (int i = 0; i < outputs; ++i) first(builder).add_output(fmt::format("unused{}", i));
  if (attribute >= 0) {
    onnx::AttributeProto& mode = *first(builder).add_attribute();
    mode.set_name("training_mode");
    mode.set_type(onnx::AttributeProto::INT);
    mode.set_i(attribute);
  }
  const Checkpoint net = builder.parse();
  const auto layers = graph::batch_norms(net.graph.value());
  REQUIRE(layers.size() == 2);
  CHECK(graph::by_batch(*net.graph, layers[0]).has_value() == training);
  CHECK(!graph::by_batch(*net.graph, layers[1]));
  CHECK(net.in_training.size() == (training ? 1U : 0U));

  // Set to inference mode it is the model without those marks, field by field.
  const std::vector<std::byte> written = in_inference_mode(builder.bytes());
  first(builder).clear_attribute();
  while (first(builder).output_size() > 1) first(builder).mutable_output()->RemoveLast();
  if (training) {
    CHECK(written == builder.bytes());
    CHECK(parse_checkpoint(written, "f").in_training.empty());
  } else {
    CHECK(written.size() >= builder.bytes().size());
    CHECK(in_inference_mode(builder.bytes()) == builder.bytes());
  }
}

// Oracle: ONNX: an empty name is an absent output; the file's batch is 7.
TEST_CASE("An absent output asks for nothing, and a batch that the file fixes is kept") {
  OnnxBuilder builder({7, 2, 2, 2}, 9);
  builder.batch_norm("a", "x", "y");
  first(builder).add_output("");
  CHECK(builder.parse().in_training.empty());
  first(builder).add_output("mean");
  const Checkpoint net = builder.parse();
  CHECK(graph::by_batch(*net.graph, graph::batch_norms(*net.graph)[0]) == 7);
}

// Law: a description gives structure, and says nothing of how the weights' own file is run.
TEST_CASE("A model in training mode that only describes other weights says nothing of how they are run") {
  OnnxBuilder builder = two_layers(15);
  onnx::AttributeProto& mode = *first(builder).add_attribute();
  mode.set_name("training_mode");
  mode.set_type(onnx::AttributeProto::INT);
  mode.set_i(1);
  CHECK(builder.parse().in_training.size() == 1);
  const test::TempDir dir;
  write_file(dir.path() / "net.onnx", builder.bytes());
  const Architecture architecture = read_architecture(dir.path() / "net.onnx");
  const graph::Graph& graph = architecture.network.graph;
  CHECK(!graph::by_batch(graph, graph::batch_norms(graph)[0]));
}

// Law: a round trip of the patched vector; the file keeps its size.
TEST_CASE("Functions are written out where they are called, and their vectors written back") {
  OnnxBuilder builder = with_norm_function();
  const Checkpoint net = builder.parse();
  REQUIRE(net.graph->nodes().size() == 1);
  const graph::BatchNorm bn = graph::batch_norms(net.graph.value()).at(0);
  CHECK(net.graph->value(bn.mean).name == "bn.running_mean");
  const std::vector<std::byte> written =
      write_checkpoint(net, std::vector<Patch>{{"bn.running_mean", {7, 8}}}, "out.onnx").at(0).bytes;
  REQUIRE(written.size() == net.bytes.size());
  CHECK(parse_checkpoint(written, "f").find("bn.running_mean")->values.to_float() == std::vector<float>{7, 8});
}

// Law: a round trip; the other layer keeps its values.
TEST_CASE("Two calls on the same vectors are two BatchNorms, told apart when they are written") {
  OnnxBuilder builder = with_norm_function();
  first(builder).set_output(0, std::string("h"));
  *builder.graph().add_node() = first(builder);
  builder.last().set_input(0, std::string("h"));
  builder.last().set_output(0, std::string("y"));
  const Checkpoint net = builder.parse();
  const auto layers = graph::batch_norms(net.graph.value());
  REQUIRE(layers.size() == 2);
  const std::string mean = net.graph->value(layers[1].mean).name;
  const Checkpoint after =
      parse_checkpoint(write_checkpoint(net, std::vector<Patch>{{mean, {7, 8}}}, "out.onnx").at(0).bytes, "f");
  const auto now = graph::batch_norms(after.graph.value());
  CHECK(after.graph->value(now[0].mean).tensor->values == net.graph->value(layers[0].mean).tensor->values);
  CHECK(after.graph->value(now[1].mean).tensor->values[1] == 8.0f);
}

// Oracle: ONNX: a Constant inside a function belongs to every call of it.
TEST_CASE("A vector that a function holds itself is not written") {
  OnnxBuilder builder = with_norm_function();
  onnx::FunctionProto& norm = *builder.model().mutable_functions(0);
  const onnx::NodeProto node = norm.node(0);
  norm.clear_node();
  onnx::NodeProto& constant = add_node(norm, "", "Constant", {}, "own_mean");
  onnx::AttributeProto& value = *constant.add_attribute();
  value.set_name("value_floats");
  value.set_type(onnx::AttributeProto::FLOATS);
  value.add_floats(3);
  value.add_floats(4);
  *norm.add_node() = node;
  norm.mutable_node(1)->set_input(3, "own_mean");
  const Checkpoint net = builder.parse();
  const std::string mean = net.graph->value(graph::batch_norms(net.graph.value()).at(0).mean).name;
  CHECK_THROWS_AS(write_checkpoint(net, std::vector<Patch>{{mean, {7, 8}}}, "out.onnx"), UnsupportedError);
  CHECK_THROWS_WITH(write_checkpoint(net, std::vector<Patch>{{mean, {7, 8}}}, "out.onnx"),
                    Contains("is inside a function of the model"));
}

// Oracle: the model built without the attribute.
TEST_CASE("The mode is set inside functions too") {
  OnnxBuilder builder = with_norm_function();
  builder.model().mutable_functions(0)->mutable_opset_import(0)->set_version(15);
  onnx::AttributeProto& mode = *builder.model().mutable_functions(0)->mutable_node(0)->add_attribute();
  mode.set_name("training_mode");
  mode.set_type(onnx::AttributeProto::INT);
  mode.set_i(1);
  CHECK(builder.parse().in_training.size() == 1);
  const std::vector<std::byte> written = in_inference_mode(builder.bytes());
  CHECK(parse_checkpoint(written, "f").in_training.empty());
  builder.model().mutable_functions(0)->mutable_node(0)->clear_attribute();
  CHECK(written == builder.bytes());
}

// Oracle: by hand: a call of itself, and 2^30 nodes.
TEST_CASE("Functions that never end, or that double with every level, are refused") {
  OnnxBuilder builder;
  builder.batch_norm("bn", "x", "h").node("f0", {"h"}, {"y"});
  builder.last().set_domain("own");
  SECTION("one that calls itself") {
    add_node(function(builder, "f0", {"a"}, "o"), "own", "f0", {"a"}, "o");
    CHECK_THROWS_WITH(builder.parse(), Contains("is called 32 functions deep, or calls itself"));
  }
  SECTION("thirty levels of two calls: 2^30 nodes") {
    for (int level = 0; level < 30; ++level) {
      onnx::FunctionProto& one = function(builder, fmt::format("f{}", level), {"a"}, "o");
      const std::string next = fmt::format("f{}", level + 1);
      add_node(one, level < 29 ? "own" : "", level < 29 ? next : "Relu", {"a"}, "i");
      add_node(one, level < 29 ? "own" : "", level < 29 ? next : "Relu", {"i"}, "o");
    }
    CHECK_THROWS_WITH(builder.parse(), Contains("has more than 50000 nodes with its functions written out"));
  }
  SECTION("a large constant in every one of them") {
    for (int level = 0; level < 12; ++level) {
      onnx::FunctionProto& one = function(builder, fmt::format("f{}", level), {"a"}, "o");
      const std::string next = fmt::format("f{}", level + 1);
      if (level == 11) {
        onnx::AttributeProto& value = *add_node(one, "", "Constant", {}, "c").add_attribute();
        value.set_name("value");
        value.set_type(onnx::AttributeProto::TENSOR);
        value.mutable_t()->set_data_type(onnx::TensorProto::FLOAT);
        value.mutable_t()->add_dims(100'000);
        value.mutable_t()->set_raw_data(std::string(400'000, '\0'));
      }
      add_node(one, level < 11 ? "own" : "", level < 11 ? next : "Relu", {"a"}, "i");
      add_node(one, level < 11 ? "own" : "", level < 11 ? next : "Relu", {"i"}, "o");
    }
    CHECK_THROWS_WITH(builder.parse(), Contains("bytes with its functions written out"));
  }
  SECTION("a call with more inputs than the function has") {
    add_node(function(builder, "f0", {}, "o"), "", "Relu", {"a"}, "o");
    CHECK_THROWS_WITH(builder.parse(), Contains("function 'f0': is given 1 inputs and 1 outputs; expected at most 0"));
  }
}

// Oracle: ONNX's Softmax-11: all axes from `axis` on are one; extents by hand.
TEST_CASE("Softmax before opset 13 keeps the images apart, whatever axis it goes over") {
  const auto op = GENERATE(std::string("Softmax"), std::string("LogSoftmax"), std::string("Hardmax"));
  const auto [axis, nodes, along] = GENERATE(
      table<std::int64_t, std::size_t, std::int64_t>({{1, 3, 24}, {2, 3, 12}, {3, 1, 4}, {-1, 1, 4}, {-2, 3, 12}}));
  CAPTURE(op, axis);
  const Checkpoint net = OnnxBuilder({0, 2, 3, 4}, 11).node(op, {"x"}, {"y"}).with("axis", axis).parse();
  REQUIRE(net.graph->nodes().size() == nodes);
  const graph::Node& node = net.graph->nodes()[nodes / 2];
  CHECK(node.op == op);
  const Shape& over = *net.graph->value(node.inputs[0]).shape;
  const std::int64_t last = node.integer("axis", 0);
  CHECK(over[last < 0 ? over.rank() - 1 : static_cast<std::size_t>(last)] == along);
  CHECK(*net.graph->value(net.graph->outputs()[0]).shape == Shape{1, 2, 3, 4});
  CHECK_THROWS_WITH(OnnxBuilder({0, 2, 3, 4}, 11).node(op, {"x"}, {"y"}).with("axis", 0).parse(),
                    Contains("takes all images as one, axis 0 before opset 13"));
}

// Oracle: what tf2onnx and PyTorch write, as docs/formats.md#onnx tells them apart.
TEST_CASE("Inputs with channels last are told by what takes them") {
  struct Case {
    std::vector<std::int64_t> input;
    bool turned, dense, last;
  };
  const Case one = GENERATE(Case{{0, 8, 8, 3}, true, false, true}, Case{{0, 0, 0, 0}, true, false, true},
                            Case{{0, 2, 8, 8}, false, false, false}, Case{{0, 2, 3, 3}, false, false, false},
                            Case{{0, 8, 8, 3}, false, true, true}, Case{{0, 3, 8, 8}, false, true, false});
  OnnxBuilder builder(one.input);
  if (one.turned) {
    builder.raw("half", {0.5f, 0.5f, 0.5f}).node("Sub", {"x", "half"}, {"s"});
    builder.node("Transpose", {"s"}, {"t"})
        .with("perm", std::vector<std::int64_t>{0, 3, 1, 2})
        .node("Relu", {"t"}, {"y"});
  } else if (one.dense) {
    builder.node("Flatten", {"x"}, {"y"});
  } else {
    builder.batch_norm("bn", "x", "y");
  }
  const Checkpoint net = builder.parse();
  CHECK(net.layout == (one.last ? "NHWC" : ""));
  const Shape& input = *net.graph->value(net.graph->input()).shape;
  if (one.last) CHECK(input[1] == 3);
  if (one.last) CHECK(net.graph->nodes().front().op == "Transpose");
}

// Oracle: the shape that was removed.
TEST_CASE("An input without a shape is called so") {
  OnnxBuilder builder;
  builder.batch_norm("bn", "x", "y");
  builder.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  CHECK_THROWS_AS(builder.parse(), UnsupportedError);
  CHECK_THROWS_WITH(builder.parse(), Contains("input 'x' states no shape, so that not even its rank is known"));
}

// Oracle: the two names put in.
TEST_CASE("One value under two output names stays two outputs") {
  OnnxBuilder builder;
  builder.batch_norm("bn", "x", "y").node("Identity", {"y"}, {"z"});
  builder.graph().add_output()->set_name("z");
  const Checkpoint net = builder.parse();
  REQUIRE(net.graph->outputs().size() == 2);
  CHECK(net.graph->value(net.graph->outputs()[0]).name == "y");
  CHECK(net.graph->value(net.graph->outputs()[1]).name == "z");
}
