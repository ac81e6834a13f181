#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::formats {

/// One node of a file on its way to the internal form: the operators of opset 17. A rule changes `node`; what it needs
/// in front of the node it adds.
struct Lowering {
  const onnx::NodeProto& proto;
  std::int64_t opset;
  graph::Node node;  ///< begins as a plain copy: operator, inputs, attributes

  /// Appends a node before this one; `part` makes its name unique.
  std::function<graph::ValueId(std::string op, std::string_view part, std::vector<graph::ValueId> inputs,
                               std::map<std::string, graph::Attribute> attributes)>
      add;
  std::function<graph::ValueId(std::vector<std::int64_t> values, bool scalar)> integers;  ///< a constant
  std::function<graph::ValueId(std::vector<float> values, bool scalar)> floats;           ///< a constant
  std::function<const graph::Value&(graph::ValueId id)> value;
  std::function<graph::ValueId(const onnx::TensorProto& tensor)> tensor;  ///< a constant of these values

  [[nodiscard]] bool has_input(std::size_t index) const {
    return index < node.inputs.size() && node.inputs[index] != graph::kNone;
  }
};

/// How the operator's form of opset `since` and later becomes the internal one.
struct OperatorForm {
  std::string_view op;
  std::int64_t since;
  void (*lower)(Lowering& step);
};

inline constexpr std::int64_t kOldestOpset = 7, kNewestOpset = 25;

/// The row for an operator at an opset; none: it is not supported.
[[nodiscard]] const OperatorForm* find_form(std::string_view op, std::int64_t opset);

}  // namespace shiftnorm::formats
