#include "shiftnorm/container/tar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"

// Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar's manual, "Basic Tar Format".
namespace shiftnorm::container {
namespace {

constexpr std::uint64_t kBlock = 512;
// Names in the order of a header: offset and length.
constexpr std::size_t kNameSize = 100, kSizeAt = 124, kSizeSize = 12, kSumAt = 148, kSumSize = 8, kTypeAt = 156;

std::string_view field(std::span<const std::byte> header, std::size_t at, std::size_t size) {
  const std::string_view text = as_text(header.subspan(at, size));
  return text.substr(0, text.find('\0'));
}

/// Octal digits between blanks, as every tar writes numbers below 8 GB.
std::uint64_t octal(std::string_view text, std::string_view what) {
  const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
  std::uint64_t value = 0;
  for (const char digit : text.substr(begin, text.find_last_not_of(' ') + 1 - begin)) {
    if (digit < '0' || digit > '7' || value >> 60U != 0)
      throw FormatError(fmt::format("tar: {} is '{}'; expected an octal number", what, printable(text)));
    value = value * 8 + static_cast<std::uint64_t>(digit - '0');
  }
  return value;
}

/// The sum of the header's bytes with the sum itself read as blanks.
std::uint64_t checksum(std::span<const std::byte> header) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < header.size(); ++i)
    sum += i >= kSumAt && i < kSumAt + kSumSize ? std::uint64_t{' '} : std::to_integer<std::uint64_t>(header[i]);
  return sum;
}

}  // namespace

std::vector<TarMember> index_tar(std::span<const std::byte> file) {
  std::vector<TarMember> members;
  for (std::uint64_t at = 0; file.size() - at >= kBlock;) {
    const std::span<const std::byte> header = file.subspan(at, kBlock);
    if (std::all_of(header.begin(), header.end(), [](std::byte b) { return b == std::byte{0}; })) break;
    std::string name(field(header, 0, kNameSize));
    if (octal(field(header, kSumAt, kSumSize), "a checksum") != checksum(header))
      throw FormatError(
          fmt::format("tar: the header at byte {} ('{}') is damaged: its checksum is wrong", at, printable(name)));
    const std::uint64_t size = octal(field(header, kSizeAt, kSizeSize), "a size");
    at += kBlock;
    if (size > file.size() - at)
      throw FormatError(fmt::format("tar: member '{}' has {} bytes; {} are left: the file is truncated",
                                    printable(name), size, file.size() - at));
    const char type = static_cast<char>(header[kTypeAt]);
    if (type == '0' || type == '\0') members.push_back({std::move(name), at, size});
    at += std::min<std::uint64_t>((size + kBlock - 1) / kBlock * kBlock, file.size() - at);
  }
  return members;
}

}  // namespace shiftnorm::container
