#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace shiftnorm::formats::onnx_wire {

/// A part of the file.
struct Extent {
  std::uint64_t offset = 0, size = 0;
  [[nodiscard]] std::uint64_t end() const noexcept { return offset + size; }
};

/// One field of a protobuf message.
struct Field {
  std::uint32_t number = 0, wire_type = 0;
  std::uint64_t start = 0;  ///< of its tag
  Extent payload;           ///< of the bytes behind tag and length; for a number, the number itself
  std::uint64_t value = 0;  ///< of a varint
};

/// Wire types of protobuf's encoding.
inline constexpr std::uint32_t kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;

/// The fields of the message that lies at `message`, in the file's order.
/// Errors  FormatError for a field that does not fit into it, or groups.
[[nodiscard]] std::vector<Field> fields_of(std::span<const std::byte> file, Extent message);

/// Where the parts of a model lie that writing back touches.
struct ModelPlaces {
  Field graph;                      ///< the model's graph
  std::vector<Field> nodes;         ///< of the graph, in the order in which protobuf lists them
  std::vector<Field> initializers;  ///< likewise
  std::vector<Field> functions;     ///< of the model
};

/// Walks the whole file before protobuf sees it.
/// Errors  FormatError for a truncated or inconsistent file; UnsupportedError for one with more parts than any network
///         has, which would take memory far beyond its size, or nested too deep.
[[nodiscard]] ModelPlaces walk_model(std::span<const std::byte> file);

/// Where the values of a TensorProto lie, dense and little-endian, with elements of `width` bytes; nothing if they lie
/// scattered, or outside the file.
[[nodiscard]] std::optional<Extent> dense_values(std::span<const std::byte> file, Extent tensor);

}  // namespace shiftnorm::formats::onnx_wire
