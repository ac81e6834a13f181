#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace shiftnorm::imaging::test {

/// A DICOM object written by hand from PS3.5: explicit little endian, elements in order of their tags.
class TinyObject {
 public:
  /// A CR image of 16-bit cells, 12 bits stored.
  TinyObject(std::int64_t rows, std::int64_t columns, const std::vector<std::uint16_t>& values);
  /// `vr` of two letters; text values are padded. Replaces what was there.
  TinyObject& text(std::uint32_t tag, const std::string& vr, const std::string& value);
  TinyObject& number(std::uint32_t tag, std::uint16_t value);  ///< US
  TinyObject& without(std::uint32_t tag);
  [[nodiscard]] std::vector<std::byte> bytes() const;

 private:
  struct Element {
    std::string vr, value;
  };
  std::map<std::uint32_t, Element> elements_;
};

}  // namespace shiftnorm::imaging::test
