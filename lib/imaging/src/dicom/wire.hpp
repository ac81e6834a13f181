#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging::dicom {

/// Values as bytes between two processes of one program. A type takes part by a `fields(wire, value)` that names its
/// members; the same function writes and reads.
class WireWriter {
 public:
  static constexpr bool kReads = false;
  template <class T>
  void operator()(const T& value) {
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>)
      append(&value, sizeof value);
    else
      fields(*this, const_cast<T&>(value));
  }
  void operator()(const std::string& text) { list(text); }
  template <class T>
  void operator()(const std::vector<T>& values) {
    if constexpr (std::is_trivially_copyable_v<T> && (std::is_arithmetic_v<T> || std::is_same_v<T, std::byte>)) {
      list(values);
    } else {
      (*this)(static_cast<std::uint64_t>(values.size()));
      for (const T& value : values) (*this)(value);
    }
  }
  template <class T>
  void operator()(const std::optional<T>& value) {
    (*this)(value.has_value());
    if (value) (*this)(*value);
  }
  std::vector<std::byte> bytes;

 private:
  template <class List>
  void list(const List& values) {
    (*this)(static_cast<std::uint64_t>(values.size()));
    append(values.data(), values.size() * sizeof(values[0]));
  }
  void append(const void* data, std::size_t size) {
    const auto* begin = static_cast<const std::byte*>(data);
    bytes.insert(bytes.end(), begin, begin + size);
  }
};

/// Errors  FormatError if the bytes are not what they should be: the other process may have been taken over by a file.
class WireReader {
 public:
  static constexpr bool kReads = true;
  explicit WireReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  template <class T>
  void operator()(T& value) {
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>)
      std::memcpy(&value, take(sizeof value), sizeof value);
    else
      fields(*this, value);
  }
  void operator()(std::string& text) { list(text); }
  template <class T>
  void operator()(std::vector<T>& values) {
    if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::byte>) {
      list(values);
    } else {
      const std::uint64_t n = count(1);
      values.clear();
      for (std::uint64_t i = 0; i < n; ++i) (*this)(values.emplace_back());
    }
  }
  template <class T>
  void operator()(std::optional<T>& value) {
    bool there = false;
    (*this)(there);
    value.reset();
    if (there) (*this)(value.emplace());
  }

 private:
  const std::byte* take(std::uint64_t size) {
    if (size > bytes_.size() - at_) throw FormatError("an answer of a decoding helper is cut");
    const std::byte* data = bytes_.data() + at_;
    at_ += size;
    return data;
  }
  std::uint64_t count(std::uint64_t size) {
    std::uint64_t n = 0;
    (*this)(n);
    if (n > (bytes_.size() - at_) / size) throw FormatError("an answer of a decoding helper is cut");
    return n;
  }
  template <class List>
  void list(List& values) {
    const std::uint64_t n = count(sizeof(values[0]));
    values.resize(n);
    if (n > 0) std::memcpy(values.data(), take(n * sizeof(values[0])), n * sizeof(values[0]));
  }
  std::span<const std::byte> bytes_;
  std::uint64_t at_ = 0;
};

template <class T>
std::vector<std::byte> to_bytes(const T& value) {
  WireWriter wire;
  wire(value);
  return std::move(wire.bytes);
}

template <class T>
T from_bytes(std::span<const std::byte> bytes) {
  T value{};
  WireReader wire(bytes);
  wire(value);
  return value;
}

}  // namespace shiftnorm::imaging::dicom
