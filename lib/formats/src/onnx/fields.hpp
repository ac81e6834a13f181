#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>

/// Numbers of fields of onnx.proto, as wire.hpp tells them.
namespace shiftnorm::formats::fields {

inline constexpr std::uint32_t kModelGraph = onnx::ModelProto::kGraphFieldNumber;
inline constexpr std::uint32_t kModelFunction = onnx::ModelProto::kFunctionsFieldNumber;
inline constexpr std::uint32_t kGraphNode = onnx::GraphProto::kNodeFieldNumber;
inline constexpr std::uint32_t kGraphInitializer = onnx::GraphProto::kInitializerFieldNumber;
inline constexpr std::uint32_t kGraphInput = onnx::GraphProto::kInputFieldNumber;
inline constexpr std::uint32_t kFunctionNode = onnx::FunctionProto::kNodeFieldNumber;
inline constexpr std::uint32_t kNodeInput = onnx::NodeProto::kInputFieldNumber;
inline constexpr std::uint32_t kNodeOutput = onnx::NodeProto::kOutputFieldNumber;
inline constexpr std::uint32_t kNodeAttribute = onnx::NodeProto::kAttributeFieldNumber;
inline constexpr std::uint32_t kAttributeTensor = onnx::AttributeProto::kTFieldNumber;

// Later than the release whose message classes are used here: IR versions 9 and 10.
inline constexpr std::uint32_t kNodeOverload = 8, kFunctionDefaults = 11, kFunctionOverload = 13;

}  // namespace shiftnorm::formats::fields
