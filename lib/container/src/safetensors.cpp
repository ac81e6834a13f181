#include "shiftnorm/container/safetensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_set>

#include "shiftnorm/container/byte_reader.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/names.hpp"
#include "shiftnorm/core/text.hpp"

// Source: the format's description in huggingface/safetensors, README.md; the header limit is that library's.
namespace shiftnorm::container {
namespace {

constexpr std::string_view kMetadata = "__metadata__";
constexpr std::uint64_t kMaxHeader = 100'000'000;

constexpr auto kTypeNames = names<Named<DType>>("element type", {{"F64", DType::f64},
                                                                 {"F32", DType::f32},
                                                                 {"F16", DType::f16},
                                                                 {"BF16", DType::bf16},
                                                                 {"I64", DType::i64},
                                                                 {"I32", DType::i32},
                                                                 {"I16", DType::i16},
                                                                 {"I8", DType::i8},
                                                                 {"U64", DType::u64},
                                                                 {"U32", DType::u32},
                                                                 {"U16", DType::u16},
                                                                 {"U8", DType::u8},
                                                                 {"BOOL", DType::boolean},
                                                                 {"F8_E4M3", DType::f8_e4m3},
                                                                 {"F8_E5M2", DType::f8_e5m2},
                                                                 {"F8_E8M0", DType::f8_e8m0},
                                                                 {"C64", DType::c64}});

DType dtype_of(const std::string& name) {
  const Named<DType>* type = kTypeNames.find(name);
  if (type == nullptr) throw UnsupportedError(fmt::format("element type '{}' is not supported", printable(name)));
  return type->value;
}

SafetensorsEntry read_header_entry(const std::string& name, const Json& json, std::uint64_t data_begin,
                                   std::uint64_t data_size) {
  SafetensorsEntry entry;
  entry.name = name;
  entry.dtype = dtype_of(json.at("dtype").as_string());
  std::vector<std::int64_t> extents;
  for (const Json& extent : json.at("shape").as_array()) extents.push_back(extent.as_integer());
  entry.shape = Shape(std::move(extents));

  const Json::ArrayType& range = json.at("data_offsets").as_array();
  if (range.size() != 2) throw FormatError(fmt::format("data_offsets has {} numbers; expected 2", range.size()));
  const std::int64_t begin = range[0].as_integer(), end = range[1].as_integer();
  if (begin < 0 || end < begin || static_cast<std::uint64_t>(end) > data_size)
    throw FormatError(
        fmt::format("data_offsets [{}, {}]; expected a range inside the {} bytes of data", begin, end, data_size));
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(entry.shape.elements(), static_cast<std::int64_t>(size_of(entry.dtype)), &bytes) ||
      bytes != end - begin)
    throw FormatError(fmt::format("data_offsets [{}, {}] span {} bytes; expected those of {} {}", begin, end,
                                  end - begin, name_of(entry.dtype), entry.shape.text()));
  entry.begin = data_begin + static_cast<std::uint64_t>(begin);
  entry.end = data_begin + static_cast<std::uint64_t>(end);
  return entry;
}

/// The format allows neither overlaps nor holes: a hole could hide data, an overlap lets a small file claim much.
void check_contiguous(const std::vector<SafetensorsEntry>& sorted, std::uint64_t begin, std::uint64_t end) {
  std::uint64_t at = begin;
  for (const SafetensorsEntry& entry : sorted) {
    if (entry.begin != at)
      throw FormatError(
          fmt::format("safetensors: tensor '{}' begins at data byte {}; expected {}, without gaps or overlaps",
                      printable(entry.name), entry.begin - begin, at - begin));
    at = entry.end;
  }
  if (at != end)
    throw FormatError(
        fmt::format("safetensors: the tensors take {} bytes of data; the file has {}", at - begin, end - begin));
}

void read_metadata(const Json& json, std::map<std::string, std::string>& metadata) {
  for (const auto& [key, value] : json.as_object()) metadata.emplace(key, value.as_string());
}

}  // namespace

SafetensorsIndex index_safetensors(std::span<const std::byte> file) {
  ByteReader reader(file);
  if (reader.left() < 8) throw FormatError(fmt::format("safetensors: has {} bytes; expected at least 8", file.size()));
  const std::uint64_t header_size = reader.u64();
  if (header_size > kMaxHeader || header_size > reader.left())
    throw FormatError(fmt::format("safetensors: header of {} bytes; {} are left and at most {} allowed", header_size,
                                  reader.left(), kMaxHeader));
  SafetensorsIndex index;
  const Json header = [&] {
    try {
      return parse_json(reader.take_text(header_size));
    } catch (const Error&) {
      rethrow_at("safetensors: header");
    }
  }();
  if (!header.is_object()) throw FormatError("safetensors: the header is not a JSON object");
  for (const auto& [name, json] : header.as_object()) {
    try {
      if (name == kMetadata)
        read_metadata(json, index.metadata);
      else
        index.entries.push_back(read_header_entry(name, json, reader.position(), reader.left()));
    } catch (const ShapeError& e) {
      throw FormatError(fmt::format("safetensors: tensor '{}': {}", printable(name), e.what()));
    } catch (const Error&) {
      rethrow_at(fmt::format("safetensors: {}'{}'", name == kMetadata ? "" : "tensor ", printable(name)));
    }
  }
  std::stable_sort(index.entries.begin(), index.entries.end(),
                   [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
                     return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
                   });
  check_contiguous(index.entries, reader.position(), file.size());
  return index;
}

Array read_entry(std::span<const std::byte> file, const SafetensorsEntry& entry) {
  if (entry.begin > entry.end)
    throw FormatError(fmt::format("tensor '{}' has a negative length", printable(entry.name)));
  const std::span<const std::byte> raw = ByteReader(file, entry.begin).take(entry.end - entry.begin);
  return {entry.dtype, entry.shape, std::vector<std::byte>(raw.begin(), raw.end())};
}

std::map<std::string, Array> read_safetensors(std::span<const std::byte> file) {
  std::map<std::string, Array> arrays;
  for (const SafetensorsEntry& entry : index_safetensors(file).entries)
    arrays.emplace(entry.name, read_entry(file, entry));
  return arrays;
}

std::vector<std::byte> write_safetensors(std::span<const std::pair<std::string, Array>> arrays,
                                         const std::map<std::string, std::string>& metadata) {
  Json::ObjectType header;
  if (!metadata.empty()) {
    Json json = Json::object();
    for (const auto& [key, value] : metadata) json.set(key, value);
    header.emplace_back(kMetadata, std::move(json));
  }
  std::unordered_set<std::string_view> names{kMetadata};
  std::uint64_t at = 0;
  for (const auto& [name, array] : arrays) {
    if (!names.insert(name).second)
      throw UnsupportedError(fmt::format(
          "safetensors: two tensors are called '{}', or the format reserves that name; expected a unique name for each",
          printable(name)));
    Json shape = Json::array();
    for (const std::int64_t extent : array.shape().extents()) shape.push(extent);
    const std::uint64_t end = at + array.bytes().size();
    header.emplace_back(name, Json::object({{"dtype", kTypeNames.name_of(array.dtype())},
                                            {"shape", std::move(shape)},
                                            {"data_offsets", Json::array({at, end})}}));
    at = end;
  }
  std::string text = write_json(Json::object(std::move(header)));
  text.resize((text.size() + 7) / 8 * 8, ' ');

  std::vector<std::byte> file;
  file.reserve(8 + text.size() + at);
  for (unsigned i = 0; i < 8; ++i) file.push_back(static_cast<std::byte>(text.size() >> (8U * i)));
  const std::span<const std::byte> header_bytes = as_bytes(text);
  file.insert(file.end(), header_bytes.begin(), header_bytes.end());
  for (const auto& [name, array] : arrays) file.insert(file.end(), array.bytes().begin(), array.bytes().end());
  return file;
}

}  // namespace shiftnorm::container
