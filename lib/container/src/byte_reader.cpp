#include "shiftnorm/container/byte_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"

namespace shiftnorm::container {

ByteReader::ByteReader(std::span<const std::byte> bytes, std::uint64_t at) : bytes_(bytes), at_(at) {
  if (at > bytes.size()) throw FormatError(fmt::format("offset {} lies beyond the end at {} bytes", at, bytes.size()));
}

std::span<const std::byte> ByteReader::take(std::uint64_t count) {
  if (count > left())
    throw FormatError(
        fmt::format("at byte {}: {} bytes are left; expected {}: the file is truncated", at_, left(), count));
  const std::span<const std::byte> taken = bytes_.subspan(at_, count);
  at_ += count;
  return taken;
}

std::string_view ByteReader::take_text(std::uint64_t count) { return as_text(take(count)); }

std::string_view ByteReader::take_line() {
  const std::span<const std::byte> rest = bytes_.subspan(at_);
  const auto end = std::find(rest.begin(), rest.end(), std::byte{'\n'});
  if (end == rest.end()) throw FormatError(fmt::format("at byte {}: the line has no end: the file is truncated", at_));
  const auto length = static_cast<std::uint64_t>(end - rest.begin());
  at_ += length + 1;
  return as_text(rest.first(length));
}

}  // namespace shiftnorm::container
