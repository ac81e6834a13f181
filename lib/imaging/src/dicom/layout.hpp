#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dicom/limits.hpp"
#include "dicom/transfer_syntax.hpp"

namespace shiftnorm::imaging::dicom {

/// A range of bytes.
struct Range {
  std::uint64_t offset = 0, length = 0;
};

/// Where the pixel data of an object lie.
struct PixelDataPlace {
  std::uint64_t element = 0;              ///< offset of the element's tag: everything before it is the header
  std::uint16_t element_number = 0x0010;  ///< 0008 float, 0009 double, 0010 integers
  bool words = false;                     ///< VR OW
  bool encapsulated = false;
  Range value;                   ///< native
  Range offset_table;            ///< encapsulated: the basic offset table's value
  std::vector<Range> fragments;  ///< encapsulated: values of the fragments behind the offset table
};

/// The outer form of an object, found without building anything: what every later step may rely on.
struct Layout {
  std::string transfer_syntax;          ///< (0002,0010); inferred from the bytes where the object does not state it
  std::string sop_class, sop_instance;  ///< (0002,0002) and (0002,0003)
  bool syntax_told = true;
  const TransferSyntax* syntax = nullptr;
  std::vector<std::byte> inflated;  ///< deflated objects: the data set; offsets below are into it
  std::uint64_t data_set = 0;       ///< offset of the first element behind the meta header
  std::uint64_t end = 0;
  std::optional<PixelDataPlace> pixels;
  Range extended_offsets, extended_lengths;  ///< values of (7FE0,0001) and (7FE0,0002); no length: absent
  std::vector<std::string> remarks;          ///< what is wrong with it and did not matter, or was assumed
  bool has_dimensions_twice = false;         ///< Rows, Columns, ... appear twice in the data set
};

/// Walks through every element and item: lengths against what is left, depth and number against the limits. What lies
/// behind the data set and is none of it (zeros that fill a block, delimiters of no sequence) is left alone.
/// Errors  Fault: not_dicom, truncated, parse, limit, unsupported_transfer_syntax (unknown ones, whose encoding nobody
///         can tell).
[[nodiscard]] Layout read_layout(std::span<const std::byte> file, const Limits& limits);

}  // namespace shiftnorm::imaging::dicom
