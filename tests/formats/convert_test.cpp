#include "shiftnorm/formats/convert.hpp"

#include <onnx/onnx_pb.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "exec/random_network.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::test;

namespace {

onnx::ModelProto parsed(const std::vector<std::byte>& bytes) {
  onnx::ModelProto model;
  REQUIRE(model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return model;
}

std::string dim(const onnx::ValueInfoProto& info, int axis) {
  const auto& d = info.type().tensor_type().shape().dim(axis);
  return d.has_dim_param() ? d.dim_param() : std::to_string(d.dim_value());
}

}  // namespace

// Oracle: the message as ONNX's own classes read it, against the graph it was written from.
TEST_CASE("a graph is written as an ONNX model", "[formats]") {
  Graph g;
  const ValueId x = g.add_input("image", Shape{1, 3, 8, 6});
  const auto p = norm_parameters(g, "bn", 4);
  ValueId y = conv(g, "c", x, 3, 4);
  y = g.add("BatchNormalization", "bn", {y, p[0], p[1], p[2], p[3]}, {{"epsilon", 1e-3f}, {"momentum", 0.99f}});
  y = g.add("Clip", "clip", {y, graph::kNone, g.add_parameter("", Shape{})});
  y = g.add("Slice", "slice", {y, g.add_constant("s", {0}), g.add_constant("e", {2}), g.add_constant("a", {1})});
  SECTION("of any size") {
    finish(g, g.add("Flatten", "scores", {g.add("GlobalAveragePool", "pool", {y})}));
    const onnx::ModelProto model = parsed(formats::write_onnx(g, "1.2", {{"shiftnorm", "{}"}}));
    CHECK(model.opset_import(0).version() == 17);
    CHECK(model.producer_name() == "shiftnorm");
    CHECK(model.producer_version() == "1.2");
    CHECK(model.metadata_props(0).key() == "shiftnorm");
    const onnx::GraphProto& out = model.graph();
    CHECK(out.input(0).name() == "image");
    CHECK(dim(out.input(0), 0) + dim(out.input(0), 1) + dim(out.input(0), 2) + dim(out.input(0), 3) == "N3HW");
    CHECK(out.output(0).name() == "scores");
    CHECK(dim(out.output(0), 0) + dim(out.output(0), 1) == "N2");
    REQUIRE(out.node_size() == 6);
    const onnx::NodeProto& bn = out.node(1);
    CHECK(bn.input(4) == "bn.running_var");
    CHECK(bn.attribute(0).name() == "epsilon");
    CHECK(bn.attribute(0).f() == 1e-3f);
    CHECK(bn.attribute(1).f() == 0.99f);
    CHECK(out.node(2).input(1).empty());
    CHECK_FALSE(out.node(2).input(2).empty());
    CHECK(out.initializer_size() == 9);  // weight, four vectors, the bound, three of Slice
    const onnx::TensorProto& mean = out.initializer(3);
    CHECK(mean.name() == "bn.running_mean");
    const auto& held = g.value(p[2]).tensor->values;
    CHECK(std::equal(held.begin(), held.end(), reinterpret_cast<const float*>(mean.raw_data().data())));
  }
  SECTION("of one size, where a matrix follows the map") {
    y = g.add("Flatten", "flatten", {y});
    finish(g, g.add("MatMul", "scores", {y, g.add_parameter("m", Shape{std::int64_t{2} * 8 * 6, 5})}));
    const onnx::ModelProto model = parsed(formats::write_onnx(g, "1", {}));
    CHECK(dim(model.graph().input(0), 0) + dim(model.graph().input(0), 2) + dim(model.graph().input(0), 3) == "N86");
  }
  SECTION("with a Reshape for one image, for any number of them") {
    y = g.add("Reshape", "reshape", {y, g.add_constant("target", {1, std::int64_t{2} * 8 * 6})});
    finish(g, g.add("MatMul", "scores", {y, g.add_parameter("m", Shape{std::int64_t{2} * 8 * 6, 5})}));
    const onnx::ModelProto model = parsed(formats::write_onnx(g, "1", {}));
    CHECK(dim(model.graph().input(0), 0) == "N");
    for (const onnx::TensorProto& tensor : model.graph().initializer())
      if (tensor.name() == "reshape.shape") {
        std::int64_t first = -1;
        std::memcpy(&first, tensor.raw_data().data(), sizeof first);
        CHECK(first == 0);
      }
    CHECK(model.graph().node(4).input(1) == "reshape.shape");
  }
  SECTION("not without values") {
    finish(g, y);
    g.value(p[3]).tensor.reset();
    CHECK_THROWS_WITH(formats::write_onnx(g, "1", {}),
                      "parameter 'bn.running_var' has no values; expected a bound network");
  }
}

// Oracle: our own reader of safetensors, whose layout tests/container checks against hand-made bytes.
TEST_CASE("a checkpoint is written as safetensors in its dtypes", "[formats]") {
  formats::Checkpoint checkpoint;
  checkpoint.file_name = "net.pth";
  Array half(DType::f16, Shape{2, 2});
  encode_floats(std::vector{1.0, 2.0, 3.0, 4.0}, DType::f16, half.bytes());
  checkpoint.tensors = {{"w", half, {}},
                        {"mean", Array::from_floats(Shape{2}, std::vector{1.0f, 2.0f}), {}},
                        {"count", Array::from_int64(Shape{}, std::vector<std::int64_t>{7}), {}}};
  const std::vector<formats::Patch> patches{{"mean", {0.5, -1}}};
  const auto bytes = formats::write_safetensors(checkpoint, patches, {{"k", "v"}});
  const auto index = container::index_safetensors(bytes);
  CHECK(index.metadata.at("k") == "v");
  REQUIRE(index.entries.size() == 3);
  const auto arrays = container::read_safetensors(bytes);
  CHECK(arrays.at("w").dtype() == DType::f16);
  CHECK(arrays.at("w").to_float() == std::vector{1.0f, 2.0f, 3.0f, 4.0f});
  CHECK(arrays.at("mean").to_float() == std::vector{0.5f, -1.0f});
  CHECK(arrays.at("count").to_int64() == std::vector<std::int64_t>{7});

  CHECK_THROWS_WITH(formats::write_safetensors(checkpoint, std::vector<formats::Patch>{{"mean", {1}}}, {}),
                    "net.pth: tensor 'mean': given 1 values; expected 2 of shape [2]");
  CHECK_THROWS_WITH(formats::write_safetensors(checkpoint, std::vector<formats::Patch>{{"none", {1}}}, {}),
                    "net.pth: tensor 'none': is not in the file");
  CHECK_THROWS_WITH(formats::write_safetensors(checkpoint, std::vector<formats::Patch>{{"w", {1, 1, 1, 1e9}}}, {}),
                    Catch::Matchers::Contains("net.pth: tensor 'w'"));
}
