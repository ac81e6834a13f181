#pragma once

#include <onnx/onnx_pb.h>

#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "shiftnorm/formats/checkpoint.hpp"

namespace shiftnorm::test {

/// A model of a few nodes: x of the given shape in, y out.
class OnnxBuilder {
 public:
  explicit OnnxBuilder(std::vector<std::int64_t> input = {0, 2, 2, 2}, std::int64_t opset = 13) {
    model_.set_ir_version(8);
    model_.add_opset_import()->set_version(opset);
    describe("x", std::move(input), *graph().add_input());
    graph().add_output()->set_name("y");
  }
  onnx::ModelProto& model() { return model_; }
  onnx::GraphProto& graph() { return *model_.mutable_graph(); }

  OnnxBuilder& input(const std::string& name, std::vector<std::int64_t> shape) {
    describe(name, std::move(shape), *graph().add_input());
    return *this;
  }
  OnnxBuilder& node(const std::string& op, const std::vector<std::string>& inputs,
                    const std::vector<std::string>& outputs) {
    onnx::NodeProto& node = *graph().add_node();
    node.set_op_type(op);
    for (const std::string& name : inputs) node.add_input(name);
    for (const std::string& name : outputs) node.add_output(name);
    return *this;
  }
  onnx::NodeProto& last() { return *graph().mutable_node(graph().node_size() - 1); }
  OnnxBuilder& with(const std::string& key, std::int64_t value) {
    onnx::AttributeProto& attribute = *last().add_attribute();
    attribute.set_name(key);
    attribute.set_type(onnx::AttributeProto::INT);
    attribute.set_i(value);
    return *this;
  }
  OnnxBuilder& with(const std::string& key, const std::vector<std::int64_t>& values) {
    onnx::AttributeProto& attribute = *last().add_attribute();
    attribute.set_name(key);
    attribute.set_type(onnx::AttributeProto::INTS);
    for (const std::int64_t value : values) attribute.add_ints(value);
    return *this;
  }
  OnnxBuilder& raw(const std::string& name, const std::vector<float>& values, std::vector<std::int64_t> dims = {}) {
    onnx::TensorProto& tensor = described(name, std::move(dims), values.size(), onnx::TensorProto::FLOAT);
    tensor.set_raw_data(std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)));
    return *this;
  }
  OnnxBuilder& listed(const std::string& name, const std::vector<float>& values) {
    onnx::TensorProto& tensor = described(name, {}, values.size(), onnx::TensorProto::FLOAT);
    for (const float value : values) tensor.add_float_data(value);
    return *this;
  }
  OnnxBuilder& integers(const std::string& name, const std::vector<std::int64_t>& values) {
    onnx::TensorProto& tensor = described(name, {}, values.size(), onnx::TensorProto::INT64);
    for (const std::int64_t value : values) tensor.add_int64_data(value);
    return *this;
  }
  onnx::TensorProto& described(const std::string& name, std::vector<std::int64_t> dims, std::size_t length, int type) {
    onnx::TensorProto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    if (dims.empty()) dims.push_back(static_cast<std::int64_t>(length));
    for (const std::int64_t dim : dims) tensor.add_dims(dim);
    return tensor;
  }
  /// Scale, bias, mean and variance "<name>.weight" ... of two channels, and the node.
  OnnxBuilder& batch_norm(const std::string& name, const std::string& from, const std::string& to) {
    raw(name + ".weight", {1, 2})
        .raw(name + ".bias", {0, 1})
        .raw(name + ".running_mean", {3, 4})
        .raw(name + ".running_var", {5, 6});
    return node("BatchNormalization",
                {from, name + ".weight", name + ".bias", name + ".running_mean", name + ".running_var"}, {to});
  }

  [[nodiscard]] std::vector<std::byte> bytes() const {
    const std::string text = model_.SerializeAsString();
    std::vector<std::byte> out(text.size());
    std::memcpy(out.data(), text.data(), text.size());
    return out;
  }
  [[nodiscard]] formats::Checkpoint parse() const { return formats::parse_checkpoint(bytes(), "net.onnx"); }

 private:
  static void describe(const std::string& name, const std::vector<std::int64_t>& shape, onnx::ValueInfoProto& info) {
    info.set_name(name);
    info.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t extent : shape) {
      auto& dim = *info.mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim();
      if (extent > 0)
        dim.set_dim_value(extent);
      else
        dim.set_dim_param("any");
    }
  }
  onnx::ModelProto model_;
};

}  // namespace shiftnorm::test
