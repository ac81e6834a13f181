#include <catch2/catch.hpp>
#include <fstream>

#include "formats/onnx_builder.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::formats;
using Catch::Matchers::Contains;
using test::OnnxBuilder;

namespace {

onnx::ModelProto model_of(const std::vector<std::byte>& bytes) {
  onnx::ModelProto model;
  REQUIRE(model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return model;
}

std::vector<float> values_of(const onnx::ModelProto& model, const std::string& name) {
  for (const onnx::TensorProto& tensor : model.graph().initializer()) {
    if (tensor.name() != name) continue;
    if (!tensor.has_raw_data()) return {tensor.float_data().begin(), tensor.float_data().end()};
    std::vector<float> values(tensor.raw_data().size() / sizeof(float));
    std::memcpy(values.data(), tensor.raw_data().data(), tensor.raw_data().size());
    return values;
  }
  FAIL("no initialiser " << name);
  return {};
}

std::size_t differing(const std::vector<std::byte>& a, const std::vector<std::byte>& b) {
  REQUIRE(a.size() == b.size());
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) count += a[i] != b[i] ? 1 : 0;
  return count;
}

const graph::Node& only(const Checkpoint& checkpoint) {
  REQUIRE(checkpoint.graph);
  REQUIRE(checkpoint.graph->nodes().size() == 1);
  return checkpoint.graph->nodes().front();
}

}  // namespace

// Oracle: the vectors that OnnxBuilder puts in; ONNX's momentum of 0.9 is PyTorch's 0.1.
TEST_CASE("A model's BatchNorms are found and named by their vectors") {
  const Checkpoint net = OnnxBuilder().batch_norm("a", "x", "h").batch_norm("b", "h", "y").parse();
  CHECK(net.format == "onnx");
  const auto layers = graph::batch_norms(net.graph.value());
  REQUIRE(layers.size() == 2);
  CHECK(layers[0].name == "a");
  CHECK(layers[1].level == 2);
  CHECK(layers[0].momentum == Approx(0.1));  // ONNX's default of 0.9 counts the old value
  CHECK(net.graph->value(layers[0].variance).tensor->values[1] == 6.0f);
}

// Law: all other bytes stay; round trip.
TEST_CASE("Values are patched where they lie, and nothing else changes") {
  const bool packed = GENERATE(false, true);
  OnnxBuilder builder;
  builder.node("BatchNormalization", {"x", "g", "b", "m", "v"}, {"y"})
      .raw("g", {1, 1})
      .raw("b", {0, 0})
      .raw("v", {5, 6});
  packed ? builder.listed("m", {3, 4}) : builder.raw("m", {3, 4});
  builder.model().mutable_unknown_fields();
  std::vector<std::byte> file = builder.bytes();
  // An unknown field of the model (number 99) must survive.
  for (const unsigned byte : {0x9au, 0x06u, 0x03u, 'a' + 0u, 'b' + 0u, 'c' + 0u})
    file.push_back(static_cast<std::byte>(byte));
  const Checkpoint net = parse_checkpoint(file, "net.onnx");
  const std::vector<Patch> patches{{"m", {7, 8}}};
  const std::vector<OutputFile> written = write_checkpoint(net, patches, "out.onnx");
  REQUIRE(written.size() == 1);
  CHECK(written[0].name == "out.onnx");
  CHECK(differing(file, written[0].bytes) <= 8);
  CHECK(values_of(model_of(written[0].bytes), "m") == std::vector<float>{7, 8});
  CHECK(values_of(model_of(written[0].bytes), "v") == std::vector<float>{5, 6});
}

// Law: only the patched layer changes; the other use keeps its values.
TEST_CASE("A vector that has another use gets an initialiser of its own") {
  // docs/formats.md#onnx: gamma of one layer merged with the variance of another, here also directly shared.
  const std::int64_t ir = GENERATE(3, 8);
  OnnxBuilder builder;
  builder.model().set_ir_version(ir);
  builder.raw("one", {1, 1}).raw("zero", {0, 0}).node("Identity", {"one"}, {"bn.running_var"});
  builder.node("BatchNormalization", {"x", "one", "zero", "zero", "bn.running_var"}, {"h"});
  builder.node("BatchNormalization", {"h", "one", "zero", "zero", "one"}, {"y"});
  const Checkpoint net = builder.parse();
  const auto layers = graph::batch_norms(net.graph.value());
  REQUIRE(layers.size() == 2);
  std::vector<Patch> patches;
  std::vector<std::string> names;
  for (const graph::BatchNorm& layer : layers)
    for (const graph::ValueId id : {layer.mean, layer.variance}) {
      const std::string& name = net.graph->value(id).name;
      CHECK(std::find(names.begin(), names.end(), name) == names.end());
      names.push_back(name);
      patches.push_back({name, {10.0 + static_cast<double>(names.size()), 20}});
    }
  const std::vector<OutputFile> files = write_checkpoint(net, patches, "out.onnx");
  // A vector that gets a place of its own names itself too; the largest float is 3.4e38.
  patches[1].values[1] = 1e39;
  CHECK_THROWS_AS(write_checkpoint(net, patches, "out.onnx"), UnsupportedError);
  CHECK_THROWS_WITH(write_checkpoint(net, patches, "out.onnx"),
                    Contains("tensor '" + patches[1].name + "': value 1e+39 at index 1 is too large for float32"));
  const onnx::ModelProto model = model_of(files[0].bytes);
  CHECK(values_of(model, "one") == std::vector<float>{1, 1});
  CHECK(values_of(model, "zero") == std::vector<float>{0, 0});
  CHECK(model.graph().input_size() == (ir < 4 ? 5 : 1));  // before 4 every initialiser is an input too
  const Checkpoint again = parse_checkpoint(files[0].bytes, "out.onnx");
  const auto now = graph::batch_norms(again.graph.value());
  REQUIRE(now.size() == 2);
  float expected = 11;
  for (const graph::BatchNorm& layer : now)
    for (const graph::ValueId id : {layer.mean, layer.variance})
      CHECK(again.graph->value(id).tensor->values[0] == expected++);
  CHECK(again.graph->value(now[1].scale).tensor->values[0] == 1.0f);
}

// Law: a round trip; halves and floats by hand.
TEST_CASE("Vectors of Constant nodes, half precision and external data are written back") {
  OnnxBuilder builder;
  builder.raw("g", {1, 1}).raw("b", {0, 0});
  onnx::TensorProto& half = builder.described("m16", {2}, 2, onnx::TensorProto::FLOAT16);
  half.add_int32_data(0x3c00);  // 1.0
  half.add_int32_data(0x4000);  // 2.0
  builder.node("Cast", {"m16"}, {"m"}).with("to", 1);
  builder.node("Constant", {}, {"v"});
  onnx::AttributeProto& value = *builder.last().add_attribute();
  value.set_name("value");
  value.set_type(onnx::AttributeProto::TENSOR);
  value.mutable_t()->add_dims(2);
  value.mutable_t()->set_data_type(onnx::TensorProto::FLOAT);
  value.mutable_t()->add_float_data(5);
  value.mutable_t()->add_float_data(6);
  builder.node("BatchNormalization", {"x", "g", "b", "m", "v"}, {"y"});
  const Checkpoint net = builder.parse();
  const auto layers = graph::batch_norms(net.graph.value());
  REQUIRE(layers.size() == 1);
  CHECK(net.graph->value(layers[0].mean).tensor->values[1] == 2.0f);
  const std::vector<Patch> patches{{"m", {7, 8}}, {"v", {9, 10}}};
  const Checkpoint again = parse_checkpoint(write_checkpoint(net, patches, "o.onnx")[0].bytes, "o.onnx");
  const auto now = graph::batch_norms(again.graph.value());
  CHECK(again.graph->value(now[0].mean).tensor->values[0] == 7.0f);
  CHECK(again.graph->value(now[0].variance).tensor->values[1] == 10.0f);
}

// Law: the data file stays; the model has the patched values.
TEST_CASE("External data stay as they are, and go with the model") {
  const test::TempDir dir;
  OnnxBuilder builder;
  builder.batch_norm("bn", "x", "y");
  onnx::TensorProto& mean = *builder.graph().mutable_initializer(2);
  REQUIRE(mean.name() == "bn.running_mean");
  const std::string values(mean.raw_data());
  mean.clear_raw_data();
  mean.set_data_location(onnx::TensorProto::EXTERNAL);
  const auto entry = [&](const std::string& key, const std::string& text) {
    onnx::StringStringEntryProto& one = *mean.add_external_data();
    one.set_key(key);
    one.set_value(text);
  };
  entry("location", "weights.bin");
  entry("offset", "4");
  entry("length", "8");
  std::ofstream(dir.path() / "weights.bin", std::ios::binary) << "pad!" << values;
  write_file(dir.path() / "net.onnx", builder.bytes());
  const Checkpoint net = read_checkpoint(dir.path() / "net.onnx");
  const auto layers = graph::batch_norms(net.graph.value());
  CHECK(net.graph->value(layers[0].mean).tensor->values[1] == 4.0f);
  const std::vector<Patch> patches{{"bn.running_mean", {7, 8}}};
  const std::vector<OutputFile> files = write_checkpoint(net, patches, "adapted.onnx");
  REQUIRE(files.size() == 2);
  CHECK(files[1].name == "weights.bin");
  CHECK(files[1].bytes == read_file(dir.path() / "weights.bin"));
  for (const OutputFile& file : files) write_file(dir.path() / file.name, file.bytes);
  const Checkpoint again = read_checkpoint(dir.path() / "adapted.onnx");
  CHECK(again.graph->value(graph::batch_norms(again.graph.value())[0].mean).tensor->values[0] == 7.0f);
}

// Oracle: ONNX's changelog of each operator.
TEST_CASE("Older forms become the internal one") {
  SECTION("Clip's limits were attributes before 11") {
    OnnxBuilder builder({1, 2}, 7);
    builder.node("Clip", {"x"}, {"y"});
    onnx::AttributeProto& most = *builder.last().add_attribute();
    most.set_name("max");
    most.set_type(onnx::AttributeProto::FLOAT);
    most.set_f(6);
    const Checkpoint net = builder.parse();
    const graph::Node& node = only(net);
    REQUIRE(node.inputs.size() == 3);
    CHECK(node.inputs[1] == graph::kNone);
    CHECK(net.graph->value(node.inputs[2]).tensor->values[0] == 6.0f);
  }
  SECTION("the axes of a mean became an input in 18") {
    const Checkpoint net =
        OnnxBuilder({0, 2, 2, 2}, 18).integers("axes", {2, 3}).node("ReduceMean", {"x", "axes"}, {"y"}).parse();
    CHECK(only(net).integers("axes", {}) == std::vector<std::int64_t>{2, 3});
    CHECK(only(net).inputs.size() == 1);
  }
  SECTION("Softmax before 13 takes everything from its axis on together") {
    const Checkpoint net = OnnxBuilder({0, 2, 3, 4}, 9).node("Softmax", {"x"}, {"y"}).parse();
    REQUIRE(net.graph->nodes().size() == 3);
    CHECK(*net.graph->value(net.graph->nodes()[1].outputs[0]).shape == Shape{1, 24});
    CHECK(*net.graph->value(net.graph->outputs()[0]).shape == Shape{1, 2, 3, 4});
  }
  SECTION("which is the same thing for a matrix") {
    const Checkpoint net = OnnxBuilder({0, 5}, 9).node("Softmax", {"x"}, {"y"}).parse();
    CHECK(only(net).op == "Softmax");
    CHECK(net.graph->value(net.graph->outputs()[0]).name == "y");
  }
}

// Oracle: by hand: 2 x 2 x 2 values of one image are 8.
TEST_CASE("A fixed number of images becomes one, in targets too") {
  const Checkpoint net =
      OnnxBuilder({32, 2, 2, 2}).integers("target", {32, 8}).node("Reshape", {"x", "target"}, {"y"}).parse();
  CHECK(*net.graph->value(net.graph->input()).shape == Shape{1, 2, 2, 2});
  CHECK(*net.graph->value(net.graph->outputs()[0]).shape == Shape{1, 8});
  CHECK(!net.dynamic_shape);
}

// Oracle: by hand: 2 x 5 x 7 = 70.
TEST_CASE("Shape arithmetic is computed, for any size that is free") {
  OnnxBuilder builder({0, 2, 0, 0});
  builder.node("Shape", {"x"}, {"s"}).integers("zero", {0}).node("Gather", {"s", "zero"}, {"n"});
  builder.integers("rest", {-1}).node("Concat", {"n", "rest"}, {"target"}).with("axis", 0);
  builder.node("Reshape", {"x", "target"}, {"y"});
  const Checkpoint net = builder.parse();
  CHECK(only(net).op == "Reshape");
  REQUIRE(net.dynamic_shape);
  CHECK(net.dynamic_shape->input == std::vector<std::int64_t>{1, 2, 0, 0});
  const graph::Graph small = resolve(*net.dynamic_shape, Shape{1, 2, 5, 7});
  CHECK(*small.value(small.outputs()[0]).shape == Shape{1, 70});
}

// Oracle: the two layers put in, whose weights the exporter merged.
TEST_CASE("A model describes the network of a weights file") {
  const test::TempDir dir;
  OnnxBuilder builder;
  builder.batch_norm("bn", "x", "h").node("Identity", {"bn.weight"}, {"bn2.weight"});
  builder.raw("bn2.bias", {0, 0}).raw("bn2.running_mean", {0, 0}).raw("bn2.running_var", {1, 1});
  builder.node("BatchNormalization", {"h", "bn2.weight", "bn2.bias", "bn2.running_mean", "bn2.running_var"}, {"y"});
  write_file(dir.path() / "net.onnx", builder.bytes());
  const Architecture architecture = read_architecture(dir.path() / "net.onnx");
  CHECK(architecture.file_name == "net.onnx");
  std::vector<std::string> unbound;
  for (const graph::ValueId id : architecture.network.graph.parameters())
    if (!architecture.network.graph.value(id).tensor) unbound.push_back(architecture.network.graph.value(id).name);
  // The exporter merged the two layers' weights; the weights file has both.
  CHECK(std::count(unbound.begin(), unbound.end(), "bn2.weight") == 1);
  CHECK(unbound.size() == 8);
}

// Oracle: the node, domain and opset put in.
TEST_CASE("What is not read is named with its node, operator, domain and opset") {
  struct Case {
    OnnxBuilder builder;
    std::string message;
  };
  OnnxBuilder custom;
  custom.node("FusedConv", {"x"}, {"y"});
  custom.last().set_domain("com.microsoft");
  custom.last().set_name("conv1");
  const std::vector<Case> cases{
      {custom,
       "net.onnx: node 'conv1' (FusedConv): operator FusedConv of domain 'com.microsoft' at opset 13 is not supported"},
      {OnnxBuilder().node("If", {"x"}, {"y"}), "node 'y' (If): operator If of domain 'ai.onnx' at opset 13"},
      {OnnxBuilder({0, 2}, 17).node("Mish", {"x"}, {"y"}), "operator Mish of domain 'ai.onnx' at opset 17"},
      {OnnxBuilder({0, 2}, 6).node("Relu", {"x"}, {"y"}), "opset 6; expected 7 to 25"},
      {OnnxBuilder({0, 2}, 26).node("Relu", {"x"}, {"y"}), "opset 26; expected 7 to 25"},
      {OnnxBuilder({0, 2}).input("mask", {0, 2}).node("Mul", {"x", "mask"}, {"y"}),
       "has 2 inputs (x, mask); expected one"},
      {OnnxBuilder({0, 2}).integers("a", {0}).node("ReduceSum", {"x", "a"}, {"y"}), "node 'y'"}};
  for (const Case& one : cases) {
    CHECK_THROWS_AS(one.builder.parse(), UnsupportedError);
    CHECK_THROWS_WITH(one.builder.parse(), Contains(one.message));
  }
}
