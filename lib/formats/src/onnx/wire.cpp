#include "wire.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::formats::onnx_wire {
namespace {

/// Of any kind; each costs protobuf up to some hundred bytes.
constexpr std::uint64_t kMaxFields = 1'000'000;
constexpr std::uint64_t kMaxNodes = 50'000;
/// Graphs inside attributes of nodes; none of them is read.
constexpr int kMaxDepth = 40;

/// The messages of onnx.proto that hold messages.
enum class Kind : std::uint8_t {
  leaf,
  model,
  graph,
  node,
  attribute,
  tensor,
  value_info,
  type,
  tensor_type,
  element,
  map,
  shape,
  function,
  training,
  sparse
};

struct Child {
  Kind parent;
  std::uint32_t field;
  Kind kind;
};
/// From onnx.proto, release 1.16; unknown fields count as leaves.
constexpr std::array kChildren{
    Child{Kind::model, 7, Kind::graph},       Child{Kind::model, 8, Kind::leaf},
    Child{Kind::model, 20, Kind::training},   Child{Kind::model, 25, Kind::function},
    Child{Kind::graph, 1, Kind::node},        Child{Kind::graph, 5, Kind::tensor},
    Child{Kind::graph, 11, Kind::value_info}, Child{Kind::graph, 12, Kind::value_info},
    Child{Kind::graph, 13, Kind::value_info}, Child{Kind::graph, 14, Kind::shape},
    Child{Kind::graph, 15, Kind::sparse},     Child{Kind::node, 5, Kind::attribute},
    Child{Kind::attribute, 5, Kind::tensor},  Child{Kind::attribute, 6, Kind::graph},
    Child{Kind::attribute, 10, Kind::tensor}, Child{Kind::attribute, 11, Kind::graph},
    Child{Kind::attribute, 14, Kind::type},   Child{Kind::attribute, 15, Kind::type},
    Child{Kind::attribute, 22, Kind::sparse}, Child{Kind::attribute, 23, Kind::sparse},
    Child{Kind::value_info, 2, Kind::type},   Child{Kind::type, 1, Kind::tensor_type},
    Child{Kind::type, 4, Kind::element},      Child{Kind::type, 5, Kind::map},
    Child{Kind::type, 8, Kind::tensor_type},  Child{Kind::type, 9, Kind::element},
    Child{Kind::tensor_type, 2, Kind::shape}, Child{Kind::element, 1, Kind::type},
    Child{Kind::map, 2, Kind::type},          Child{Kind::shape, 1, Kind::leaf},
    Child{Kind::function, 7, Kind::node},     Child{Kind::function, 11, Kind::attribute},
    Child{Kind::training, 1, Kind::graph},    Child{Kind::training, 2, Kind::graph},
    Child{Kind::sparse, 1, Kind::tensor},     Child{Kind::sparse, 2, Kind::tensor},
};

class Reader {
 public:
  Reader(std::span<const std::byte> file, Extent message) : file_(file), at_(message.offset), end_(message.end()) {}

  [[nodiscard]] bool more() const { return at_ < end_; }

  Field next() {
    Field field;
    field.start = at_;
    const std::uint64_t tag = varint();
    field.number = static_cast<std::uint32_t>(tag >> 3U);
    field.wire_type = static_cast<std::uint32_t>(tag & 7U);
    if (field.number == 0 || tag >> 32U != 0) fail("a field without a number");
    std::uint64_t size = 0;
    switch (field.wire_type) {
      case kVarint: {
        const std::uint64_t from = at_;
        field.value = varint();
        field.payload = {from, at_ - from};
        return field;
      }
      case kFixed64: size = 8; break;
      case kFixed32: size = 4; break;
      case kBytes: size = varint(); break;
      default: fail("a field of an unknown kind");
    }
    if (size > end_ - at_)
      throw FormatError(fmt::format("byte {}: a field of {} bytes; {} are left", field.start, size, end_ - at_));
    field.payload = {at_, size};
    at_ += size;
    return field;
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw FormatError(fmt::format("byte {}: {}; expected a protobuf message of ONNX", at_, what));
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ >= end_) fail("the file ends inside a number");
      const auto byte = static_cast<std::uint64_t>(file_[at_++]);
      value |= (byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    fail("a number of more than ten bytes");
  }

  std::span<const std::byte> file_;
  std::uint64_t at_, end_;
};

class Survey {
 public:
  explicit Survey(std::span<const std::byte> file) : file_(file) {}

  void walk(Extent message, Kind kind, int depth) {
    if (depth > kMaxDepth) throw UnsupportedError(fmt::format("its messages are nested more than {} deep", kMaxDepth));
    for (Reader reader(file_, message); reader.more();) {
      const Field field = reader.next();
      // Numbers of a tensor may be written one by one; they cost no more than they take in the file.
      const bool number = kind == Kind::tensor && field.wire_type != kBytes;
      if (!number && ++fields_ > kMaxFields)
        throw UnsupportedError(fmt::format("has more than {} parts; expected a network of fewer", kMaxFields));
      if (field.wire_type != kBytes) continue;
      const auto* const child = std::find_if(kChildren.begin(), kChildren.end(), [&](const Child& c) {
        return c.parent == kind && c.field == field.number;
      });
      if (child == kChildren.end()) continue;
      if (child->kind == Kind::node && ++nodes_ > kMaxNodes)
        throw UnsupportedError(fmt::format("has more than {} nodes; expected a network of fewer", kMaxNodes));
      walk(field.payload, child->kind, depth + 1);
    }
  }

 private:
  std::span<const std::byte> file_;
  std::uint64_t fields_ = 0, nodes_ = 0;
};

}  // namespace

std::vector<Field> fields_of(std::span<const std::byte> file, Extent message) {
  std::vector<Field> fields;
  for (Reader reader(file, message); reader.more();) fields.push_back(reader.next());
  return fields;
}

ModelPlaces walk_model(std::span<const std::byte> file) {
  const Extent all{0, file.size()};
  Survey(file).walk(all, Kind::model, 0);
  ModelPlaces places;
  bool found = false;
  for (const Field& field : fields_of(file, all)) {
    if (field.number == 25 && field.wire_type == kBytes) places.functions.push_back(field);
    if (field.number != 7 || field.wire_type != kBytes) continue;
    if (found) throw FormatError("holds two graphs; expected one");
    found = true;
    places.graph = field;
  }
  if (!found) throw FormatError("holds no graph; expected an ONNX model");
  for (const Field& field : fields_of(file, places.graph.payload)) {
    if (field.wire_type != kBytes) continue;
    if (field.number == 1) places.nodes.push_back(field);
    if (field.number == 5) places.initializers.push_back(field);
  }
  return places;
}

std::optional<Extent> dense_values(std::span<const std::byte> file, Extent tensor) {
  constexpr std::uint32_t kFloatData = 4, kRawData = 9, kDoubleData = 10, kDataLocation = 14;
  std::optional<Extent> place;
  for (const Field& field : fields_of(file, tensor)) {
    if (field.number == kDataLocation && field.value != 0) return std::nullopt;
    if (field.number != kFloatData && field.number != kRawData && field.number != kDoubleData) continue;
    if (place || field.wire_type != kBytes) return std::nullopt;
    place = field.payload;
  }
  return place;
}

}  // namespace shiftnorm::formats::onnx_wire
