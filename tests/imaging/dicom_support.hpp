#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace shiftnorm::imaging::test {

inline constexpr const char* kBaseline = "1.2.840.10008.1.2.4.50";  ///< JPEG Baseline
inline constexpr std::uint32_t kPixels = 0x7fe00010;                ///< Pixel Data

/// A DICOM object written by hand from PS3.5: explicit little endian, elements in order of their tags.
class TinyObject {
 public:
  /// A CR image of 16-bit cells, 12 bits stored.
  TinyObject(std::int64_t rows, std::int64_t columns, const std::vector<std::uint16_t>& values);
  /// `vr` of two letters; text values are padded. Replaces what was there.
  TinyObject& text(std::uint32_t tag, const std::string& vr, const std::string& value);
  TinyObject& number(std::uint32_t tag, std::uint16_t value);                           ///< US
  TinyObject& raw(std::uint32_t tag, const std::string& vr, const std::string& value);  ///< as it stands
  TinyObject& without(std::uint32_t tag);
  /// Pixel data in fragments, the offset table before them.
  TinyObject& packed(const std::string& syntax, const std::string& table, const std::vector<std::string>& fragments);
  TinyObject& meta(std::uint32_t tag, const std::string& value);  ///< one more UI element of group 0002
  [[nodiscard]] std::vector<std::byte> bytes() const;
  [[nodiscard]] std::vector<std::byte> without_preamble() const;  ///< from the meta header on
  [[nodiscard]] std::vector<std::byte> data_set() const;          ///< without a meta header too
  [[nodiscard]] std::vector<std::byte> implicit_data_set() const;

 private:
  struct Element {
    std::string vr, value;
  };
  [[nodiscard]] std::string meta_header() const;
  [[nodiscard]] std::string body(bool explicit_vr) const;
  std::map<std::uint32_t, Element> elements_;
  std::map<std::uint32_t, std::string> meta_;
};

/// A number of `size` bytes, little endian.
[[nodiscard]] std::string little(std::uint64_t value, int size);
/// An item of a sequence, or a fragment: its tag, its length, what is in it.
[[nodiscard]] std::string item(const std::string& value);
/// An element in explicit little endian, for what stands in items.
[[nodiscard]] std::string element(std::uint32_t tag, const std::string& vr, const std::string& value);

}  // namespace shiftnorm::imaging::test
