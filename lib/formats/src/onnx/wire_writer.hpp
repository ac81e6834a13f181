#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "wire.hpp"

namespace shiftnorm::formats::onnx_wire {

using Bytes = std::vector<std::byte>;

inline void append(Bytes& out, std::span<const std::byte> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

inline void append_varint(Bytes& out, std::uint64_t value) {
  for (; value >= 0x80U; value >>= 7U) out.push_back(static_cast<std::byte>(value | 0x80U));
  out.push_back(static_cast<std::byte>(value));
}

/// A field that holds bytes.
inline void append_field(Bytes& out, std::uint32_t number, std::span<const std::byte> payload) {
  append_varint(out, std::uint64_t{number} << 3U | kBytes);
  append_varint(out, payload.size());
  append(out, payload);
}

/// A field as it is in the file.
inline void append_as_is(Bytes& out, std::span<const std::byte> file, const Field& field) {
  append(out, file.subspan(field.start, field.payload.end() - field.start));
}

}  // namespace shiftnorm::formats::onnx_wire
