#include "tensor_proto.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::formats {
namespace {

struct ElementType {
  std::int32_t onnx;
  DType dtype;
};
constexpr std::array kTypes{
    ElementType{onnx::TensorProto::FLOAT, DType::f32},    ElementType{onnx::TensorProto::UINT8, DType::u8},
    ElementType{onnx::TensorProto::INT8, DType::i8},      ElementType{onnx::TensorProto::UINT16, DType::u16},
    ElementType{onnx::TensorProto::INT16, DType::i16},    ElementType{onnx::TensorProto::INT32, DType::i32},
    ElementType{onnx::TensorProto::INT64, DType::i64},    ElementType{onnx::TensorProto::BOOL, DType::boolean},
    ElementType{onnx::TensorProto::FLOAT16, DType::f16},  ElementType{onnx::TensorProto::DOUBLE, DType::f64},
    ElementType{onnx::TensorProto::UINT32, DType::u32},   ElementType{onnx::TensorProto::UINT64, DType::u64},
    ElementType{onnx::TensorProto::BFLOAT16, DType::bf16}};

/// What other types hold, for the message.
std::string name_of_type(std::int32_t type) {
  constexpr std::array<std::pair<std::int32_t, std::string_view>, 8> kOthers{{{8, "text"},
                                                                              {14, "complex64"},
                                                                              {15, "complex128"},
                                                                              {17, "float8e4m3fn"},
                                                                              {18, "float8e4m3fnuz"},
                                                                              {19, "float8e5m2"},
                                                                              {21, "uint4"},
                                                                              {22, "int4"}}};
  for (const auto& [number, name] : kOthers)
    if (number == type) return std::string(name);
  return fmt::format("elements of type {}", type);
}

std::uint64_t number_in(const std::string& text, std::string_view key) {
  std::uint64_t value = 0;
  if (!parse_whole(text, value))
    throw FormatError(fmt::format("external data with {} '{}'; expected a number of bytes", key, printable(text)));
  return value;
}

std::span<const std::byte> external_bytes(const onnx::TensorProto& tensor, std::uint64_t needed, ExternalFiles& files) {
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
  for (const onnx::StringStringEntryProto& entry : tensor.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") offset = number_in(entry.value(), "offset");
    if (entry.key() == "length") length = number_in(entry.value(), "length");
  }
  const std::span<const std::byte> file = files.file(location);
  if (offset > file.size() || needed > file.size() - offset)
    throw FormatError(fmt::format("its values are bytes {} to {} of '{}'; that file has {}", offset, offset + needed,
                                  printable(location), file.size()));
  if (length && *length != needed)
    throw FormatError(
        fmt::format("its values take {} bytes of '{}'; expected {}", *length, printable(location), needed));
  return file.subspan(offset, needed);
}

/// Values in one of the message's typed lists, each narrowed to the element type.
template <class To, class List>
void copy_list(const List& list, const Shape& shape, std::span<std::byte> out) {
  if (static_cast<std::int64_t>(list.size()) != shape.elements())
    throw FormatError(
        fmt::format("holds {} values; expected {} of shape {}", list.size(), shape.elements(), shape.text()));
  std::size_t at = 0;
  for (const auto value : list) {
    const To narrowed = static_cast<To>(value);
    if constexpr (std::is_integral_v<To>)
      if (static_cast<std::remove_cv_t<decltype(value)>>(narrowed) != value)
        throw FormatError(fmt::format("holds {}, which its element type cannot hold", value));
    std::memcpy(out.data() + at, &narrowed, sizeof(To));
    at += sizeof(To);
  }
}

Array listed(const onnx::TensorProto& tensor, DType dtype, const Shape& shape) {
  const auto fill = [&]<class To>(const auto& list, To) {
    // Checked here too: the array must not be made for values that are not there.
    if (static_cast<std::int64_t>(list.size()) != shape.elements())
      throw FormatError(
          fmt::format("holds {} values; expected {} of shape {}", list.size(), shape.elements(), shape.text()));
    Array array(dtype, shape);
    copy_list<To>(list, shape, array.bytes());
    return array;
  };
  switch (dtype) {
    case DType::f32: return fill(tensor.float_data(), float{});
    case DType::f64: return fill(tensor.double_data(), double{});
    case DType::i64: return fill(tensor.int64_data(), std::int64_t{});
    case DType::u64: return fill(tensor.uint64_data(), std::uint64_t{});
    case DType::u32: return fill(tensor.uint64_data(), std::uint32_t{});
    case DType::i32: return fill(tensor.int32_data(), std::int32_t{});
    case DType::i16: return fill(tensor.int32_data(), std::int16_t{});
    case DType::i8: return fill(tensor.int32_data(), std::int8_t{});
    case DType::u8:
    case DType::boolean: return fill(tensor.int32_data(), std::uint8_t{});
    case DType::u16:
    case DType::f16:
    case DType::bf16: return fill(tensor.int32_data(), std::uint16_t{});  // bit patterns
    case DType::f8_e4m3:
    case DType::f8_e5m2:
    case DType::f8_e8m0:
    case DType::c64: break;
  }
  throw UnsupportedError("has an unknown element type");
}

}  // namespace

std::span<const std::byte> ExternalFiles::file(const std::string& location) {
  const std::string name = location.starts_with("./") ? location.substr(2) : location;
  const auto at = files_.find(name);
  return at != files_.end() ? at->second : files_.emplace(name, neighbours_.read(name)).first->second;
}

std::vector<OutputFile> ExternalFiles::take() {
  std::vector<OutputFile> out;
  for (auto& [name, bytes] : files_) out.push_back({name, std::move(bytes)});
  files_.clear();
  return out;
}

DType dtype_of(std::int32_t onnx_type) {
  const auto* const row =
      std::find_if(kTypes.begin(), kTypes.end(), [onnx_type](const ElementType& t) { return t.onnx == onnx_type; });
  if (row == kTypes.end())
    throw UnsupportedError(fmt::format("holds {}; expected numbers of a common type", name_of_type(onnx_type)));
  return row->dtype;
}

std::int32_t onnx_type_of(DType dtype) {
  return std::find_if(kTypes.begin(), kTypes.end(), [dtype](const ElementType& t) { return t.dtype == dtype; })->onnx;
}

Array read_tensor(const onnx::TensorProto& tensor, ExternalFiles& files) {
  const DType dtype = dtype_of(tensor.data_type());
  const Shape shape(std::vector<std::int64_t>(tensor.dims().begin(), tensor.dims().end()));
  if (tensor.has_segment()) throw UnsupportedError("is stored in segments; expected one piece");
  const bool external = tensor.data_location() == onnx::TensorProto::EXTERNAL;
  if (!external && !tensor.has_raw_data()) return listed(tensor, dtype, shape);
  const auto width = static_cast<std::int64_t>(size_of(dtype));
  if (shape.elements() > std::numeric_limits<std::int64_t>::max() / width)
    throw FormatError(fmt::format("has shape {}; expected one that fits a file", shape.text()));
  const auto needed = static_cast<std::uint64_t>(shape.elements() * width);
  const std::span<const std::byte> bytes =
      external ? external_bytes(tensor, needed, files) : as_bytes(std::string_view(tensor.raw_data()));
  if (bytes.size() != needed)
    throw FormatError(
        fmt::format("holds {} bytes; expected {} of shape {} {}", bytes.size(), needed, shape.text(), name_of(dtype)));
  return {dtype, shape, std::vector<std::byte>(bytes.begin(), bytes.end())};
}

}  // namespace shiftnorm::formats
