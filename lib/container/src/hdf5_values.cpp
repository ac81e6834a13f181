#include "hdf5_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "hdf5_chunks.hpp"
#include "hdf5_dense.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"

namespace shiftnorm::container::hdf5 {
namespace {

/// A datatype as far as it matters: its class, its bit field, its size and what follows.
struct Datatype {
  enum Class : unsigned { fixed_point = 0, floating_point = 1, text = 3, variable_length = 9 };
  unsigned type = 0, bits = 0;
  std::uint64_t size = 0;
  Bytes properties;

  [[nodiscard]] bool variable_text() const { return type == variable_length && (bits & 0xfU) == 1; }
};

Datatype read_datatype(Bytes message) {
  ByteReader reader(message);
  Datatype found;
  found.type = reader.u8() & 0xfU;
  found.bits = static_cast<unsigned>(number(reader, 3));
  found.size = reader.u32();
  found.properties = reader.take(reader.left());
  return found;
}

DType dtype_of(const Datatype& type) {
  struct Row {
    unsigned type;
    std::uint64_t size;
    bool is_signed;
    DType dtype;
  };
  constexpr std::array kRows{
      Row{Datatype::floating_point, 8, false, DType::f64}, Row{Datatype::floating_point, 4, false, DType::f32},
      Row{Datatype::floating_point, 2, false, DType::f16}, Row{Datatype::fixed_point, 8, true, DType::i64},
      Row{Datatype::fixed_point, 4, true, DType::i32},     Row{Datatype::fixed_point, 2, true, DType::i16},
      Row{Datatype::fixed_point, 1, true, DType::i8},      Row{Datatype::fixed_point, 8, false, DType::u64},
      Row{Datatype::fixed_point, 4, false, DType::u32},    Row{Datatype::fixed_point, 2, false, DType::u16},
      Row{Datatype::fixed_point, 1, false, DType::u8}};
  // The only number of two bytes that is not an IEEE half is bfloat16, whose exponent has 8 bits.
  constexpr std::size_t kExponentSize = 5;
  constexpr std::array<unsigned, 9> kExponents{0, 0, 5, 0, 8, 0, 0, 0, 11};
  const bool is_signed = type.type == Datatype::fixed_point && (type.bits & 8U) != 0;
  const bool big_endian = (type.bits & 0x41U) != 0;
  if (big_endian) throw UnsupportedError("numbers are big-endian; expected little-endian");
  if (type.type == Datatype::floating_point && type.size < kExponents.size()) {
    const unsigned exponent =
        type.properties.size() > kExponentSize ? std::to_integer<unsigned>(type.properties[kExponentSize]) : 0;
    if (exponent == 8 && type.size == 2) return DType::bf16;
    if (exponent != kExponents[type.size])
      throw UnsupportedError(fmt::format("numbers of {} bytes with an exponent of {} bits", type.size, exponent));
  }
  for (const Row& row : kRows)
    if (row.type == type.type && row.size == type.size && row.is_signed == is_signed) return row.dtype;
  throw UnsupportedError(fmt::format("elements of class {} and {} bytes; expected numbers", type.type, type.size));
}

/// Absent for the null dataspace.
std::optional<Shape> read_dataspace(Bytes message) {
  constexpr unsigned kNull = 2;
  ByteReader reader(message);
  const unsigned version = reader.u8(), rank = reader.u8();
  reader.skip(1);
  if (version != 1 && version != 2) throw UnsupportedError(fmt::format("a dataspace of version {}", version));
  const unsigned kind = reader.u8();
  if (version == 1) reader.skip(4);
  if (version == 2 && kind == kNull) return std::nullopt;
  std::vector<std::int64_t> extents;
  for (unsigned i = 0; i < rank; ++i) {
    const std::uint64_t extent = reader.u64();
    if (extent > (std::uint64_t{1} << 62U)) throw FormatError(fmt::format("an extent of {}", extent));
    extents.push_back(static_cast<std::int64_t>(extent));
  }
  return Shape(std::move(extents));
}

struct Attribute {
  std::string_view name;
  Datatype type;
  std::optional<Shape> shape;
  Bytes values;
};

Attribute read_attribute(Bytes message) {
  ByteReader reader(message);
  const unsigned version = reader.u8();
  if (version < 1 || version > 3) throw UnsupportedError(fmt::format("an attribute of version {}", version));
  const unsigned flags = reader.u8();
  const std::uint64_t name = reader.u16(), type = reader.u16(), space = reader.u16();
  if (version == 3) reader.skip(1);  // character set
  const auto part = [&reader, version](std::uint64_t size) {
    const Bytes bytes = reader.take(size);
    if (version == 1) reader.skip((8 - size % 8) % 8);
    return bytes;
  };
  Attribute found;
  const std::string_view text = as_text(part(name));
  found.name = text.substr(0, text.find('\0'));
  const Bytes type_bytes = part(type), space_bytes = part(space);
  if (version > 1 && (flags & 3U) != 0)
    throw UnsupportedError(fmt::format("attribute '{}' has a type that is stored elsewhere", found.name));
  found.type = read_datatype(type_bytes);
  found.shape = read_dataspace(space_bytes);
  found.values = reader.take(reader.left());
  return found;
}

Bytes heap_object(Bytes file, std::uint64_t collection, std::uint32_t index) {
  ByteReader reader = open_at(file, collection, "GCOL");
  reader.skip(4);
  const std::uint64_t size = reader.u64();
  ByteReader objects(ByteReader(file, collection).take(size));
  objects.skip(16);
  while (objects.left() >= 16) {
    const unsigned found = objects.u16();
    objects.skip(6);
    const std::uint64_t length = objects.u64();
    if (found == 0) break;
    const Bytes value = objects.take(length);
    if (found == index) return value;
    objects.skip(std::min<std::uint64_t>((8 - length % 8) % 8, objects.left()));
  }
  throw FormatError(fmt::format("text {} of the heap at byte {} is missing", index, collection));
}

std::vector<std::string> texts_of(Bytes file, const Attribute& attribute) {
  const Datatype& type = attribute.type;
  if (!attribute.shape || (type.type != Datatype::text && !type.variable_text())) return {};
  const auto count = static_cast<std::uint64_t>(attribute.shape->elements());
  const std::uint64_t width = type.size;
  if (width == 0 || count > attribute.values.size() / width)
    throw FormatError(
        fmt::format("attribute '{}' has {} texts in {} bytes", attribute.name, count, attribute.values.size()));
  std::vector<std::string> texts;
  std::uint64_t total = 0;
  ByteReader reader(attribute.values);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string_view text;
    if (type.variable_text()) {
      const std::uint32_t length = reader.u32();
      const std::uint64_t collection = reader.u64();
      const std::uint32_t index = reader.u32();
      if (length > 0) {
        text = as_text(heap_object(file, collection, index));
        if (length > text.size()) throw FormatError(fmt::format("attribute '{}' is cut short", attribute.name));
        text = text.substr(0, length);
      }
    } else {
      text = reader.take_text(width);
    }
    text = text.substr(0, text.find('\0'));
    // Many names may lead to one long text.
    total += text.size();
    if (total > file.size()) throw FormatError(fmt::format("attribute '{}' is larger than the file", attribute.name));
    texts.emplace_back(text);
  }
  return texts;
}

std::vector<Bytes> attribute_messages(Bytes file, const ObjectHeader& header) {
  std::vector<Bytes> found;
  for (const Message& message : header.messages)
    if (message.type == MessageType::attribute) found.push_back(message.data);
  if (const Message* info = header.find(MessageType::attribute_info)) {
    ByteReader reader(info->data);
    reader.skip(1);
    if ((reader.u8() & 1U) != 0) reader.skip(2);  // largest creation index
    const std::uint64_t heap = reader.u64(), index = reader.u64();
    if (heap != kNowhere)
      for (const Bytes& attribute : read_dense(file, heap, index)) found.push_back(attribute);
  }
  return found;
}

constexpr unsigned kInChunks = 2;

/// Where the values lie. Those in a header of version 2 are covered by its checksum.
struct ValuesPlace {
  std::uint64_t offset = 0, size = 0;
  bool in_header = false;
};

ValuesPlace read_layout(const Message& message) {
  enum : unsigned { compact = 0, contiguous = 1 };
  ByteReader reader(message.data);
  const unsigned version = reader.u8(), kind = reader.u8();
  if (version != 3 && version != 4) throw UnsupportedError(fmt::format("a data layout of version {}", version));
  if (kind == compact) {
    const std::uint64_t size = reader.u16();
    const std::uint64_t offset = message.offset + reader.position();
    reader.skip(size);
    return {offset, size, true};
  }
  if (kind != contiguous) throw UnsupportedError(fmt::format("a data layout of class {}", kind));
  const std::uint64_t address = reader.u64(), size = reader.u64();
  return {address, size, false};
}

}  // namespace

std::optional<std::vector<std::string>> read_texts(Bytes file, const ObjectHeader& header, std::string_view attribute) {
  for (const Bytes& message : attribute_messages(file, header))
    if (const Attribute found = read_attribute(message); found.name == attribute) return texts_of(file, found);
  return std::nullopt;
}

Hdf5Dataset read_dataset(Bytes file, const ObjectHeader& header) {
  const Message* type = header.find(MessageType::datatype);
  const Message* space = header.find(MessageType::dataspace);
  const Message* layout = header.find(MessageType::layout);
  if (type == nullptr || space == nullptr || layout == nullptr) throw FormatError("is not a dataset");
  if (header.find(MessageType::external_files) != nullptr)
    throw UnsupportedError("stores its values in another file; expected them in this one");
  if (type->shared || space->shared) throw UnsupportedError("has a type that is stored elsewhere");
  const bool in_chunks = layout->data.size() > 1 && std::to_integer<unsigned>(layout->data[1]) == kInChunks;
  const ValuesPlace place = in_chunks ? ValuesPlace{} : read_layout(*layout);
  if (header.checksummed && place.in_header)
    throw UnsupportedError("stores its values in its header; expected one contiguous piece, as Keras writes it");
  Hdf5Dataset found;
  found.dtype = dtype_of(read_datatype(type->data));
  const std::optional<Shape> shape = read_dataspace(space->data);
  if (!shape) throw FormatError("holds no values");
  found.shape = *shape;
  const auto elements = static_cast<std::uint64_t>(found.shape.elements());
  if (elements == 0) return found;
  const std::uint64_t width = size_of(found.dtype);
  if (in_chunks) {
    const Chunks chunks = read_chunks(file, header, *layout, found.shape, width);
    found.in_chunks = true;
    found.offset = chunks.index != kNowhere ? chunks.index : layout->offset;
    return found;
  }
  if (elements > file.size() / width || place.offset > file.size() || elements * width > file.size() - place.offset ||
      elements * width > place.size)
    throw FormatError(fmt::format("{} values of {} do not lie inside the file: it is damaged or cut short",
                                  found.shape.text(), name_of(found.dtype)));
  found.offset = place.offset;
  return found;
}

}  // namespace shiftnorm::container::hdf5
