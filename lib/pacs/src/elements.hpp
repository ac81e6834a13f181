#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace shiftnorm::pacs {

/// group << 16 | element.
using Tag = std::uint32_t;

/// A flat data set in Implicit VR Little Endian: what DIMSE commands and query identifiers are made of. Values as they
/// stand in the encoding.
using Elements = std::map<Tag, std::string>;

[[nodiscard]] std::string encode(const Elements& elements);

/// The top level of an encoded data set; sequences are stepped over without recursion, however deep they nest.
/// Errors  FormatError for lengths that leave the bytes and for ends without a beginning.
[[nodiscard]] Elements decode(std::span<const std::byte> bytes);

/// Values for encode(): of even length, text padded with a space, UIDs with a NUL.
[[nodiscard]] std::string padded_text(std::string_view text);
[[nodiscard]] std::string padded_uid(std::string_view uid);
[[nodiscard]] std::string number(std::uint16_t value);

/// A value without padding and surrounding spaces; empty if absent.
[[nodiscard]] std::string text_of(const Elements& elements, Tag tag);
/// A two-byte number (VR US); nothing if absent or of another length.
[[nodiscard]] std::optional<std::uint16_t> number_of(const Elements& elements, Tag tag);

/// Whether a text is a UID: 1 to 64 digits and dots. What a peer sends is not used before it was asked.
[[nodiscard]] bool is_uid(std::string_view text);

}  // namespace shiftnorm::pacs
