#include <fmt/format.h>

#include <cstdint>

#include "shiftnorm/container/csv.hpp"
#include "shiftnorm/core/error.hpp"

// Source: RFC 2781 (UTF-16), RFC 3629 (UTF-8).
namespace shiftnorm::container {
namespace {

void append_utf8(std::uint32_t code, std::string& out) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

std::string from_utf_16(std::string_view bytes, bool big_endian) {
  if (bytes.size() % 2 != 0) throw FormatError("is UTF-16 text of an odd number of bytes; expected whole characters");
  const auto unit = [&](std::size_t at) {
    const auto first = static_cast<unsigned char>(bytes[at]), second = static_cast<unsigned char>(bytes[at + 1]);
    return static_cast<std::uint32_t>(big_endian ? first << 8 | second : second << 8 | first);
  };
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 2) {
    std::uint32_t code = unit(at);
    if (code >= 0xd800 && code < 0xe000) {
      const std::uint32_t low = at + 2 < bytes.size() ? unit(at + 2) : 0;
      if (code >= 0xdc00 || low < 0xdc00 || low >= 0xe000)
        throw FormatError(fmt::format("is UTF-16 text with half a character at byte {}; expected both halves", at + 2));
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      at += 2;
    }
    append_utf8(code, out);
  }
  return out;
}

}  // namespace

std::string utf8_text(std::string_view bytes) {
  if (bytes.starts_with("\xff\xfe")) return from_utf_16(bytes.substr(2), false);
  if (bytes.starts_with("\xfe\xff")) return from_utf_16(bytes.substr(2), true);
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
  return std::string(bytes);
}

}  // namespace shiftnorm::container
