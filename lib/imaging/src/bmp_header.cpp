#include "bmp_header.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "image_header.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging {
namespace {

constexpr std::uint32_t kCore = 12, kWithMasks = 52, kWithAlphaMask = 56, kOs2 = 64;

/// Red, green, blue and alpha, as PIL reads them (all zero means the usual order); others are refused, not guessed at.
struct Layout {
  int bits;
  std::array<std::uint32_t, 4> masks;
};
constexpr std::array kLayouts{Layout{16, {0xf800, 0x7e0, 0x1f, 0}},
                              Layout{16, {0x7c00, 0x3e0, 0x1f, 0}},
                              Layout{24, {0xff0000, 0xff00, 0xff, 0}},
                              Layout{32, {0xff0000, 0xff00, 0xff, 0}},
                              Layout{32, {0xff000000, 0xff0000, 0xff00, 0}},
                              Layout{32, {0xff000000, 0xff0000, 0xff00, 0xff}},
                              Layout{32, {0xff, 0xff00, 0xff0000, 0xff000000}},
                              Layout{32, {0xff0000, 0xff00, 0xff, 0xff000000}},
                              Layout{32, {0, 0, 0, 0}}};
constexpr std::array<std::uint32_t, 3> kUsual16{0x7c00, 0x3e0, 0x1f}, kUsual32{0xff0000, 0xff00, 0xff};

/// Number in the header, and the bits per pixel that it goes with; 0: any.
struct Stored {
  std::uint32_t number;
  BmpCompression compression;
  int bits;
};
constexpr std::array kStored{Stored{0, BmpCompression::none, 0}, Stored{1, BmpCompression::runs8, 8},
                             Stored{2, BmpCompression::runs4, 4}, Stored{3, BmpCompression::masks, 0}};

BmpCompression compression_of(std::uint32_t number, const BmpHeader& header, bool os2) {
  const auto* found = std::ranges::find(kStored, number, &Stored::number);
  // OS/2's third is a fax code.
  if (found == kStored.end() || (os2 && found->compression == BmpCompression::masks))
    throw UnsupportedError(
        fmt::format("BMP has compression {}; supported are none (0), runs (1, 2) and masks (3)", number));
  if (found->bits != 0 && found->bits != header.bits)
    throw FormatError(
        fmt::format("BMP has {} bits per pixel; expected {} with compression {}", header.bits, found->bits, number));
  return found->compression;
}

/// The alpha mask is in headers of 56 bytes and more.
std::array<std::uint32_t, 3> read_masks(const Fields& file, std::uint32_t dib, int bits) {
  std::array<std::uint32_t, 4> masks{};
  const std::size_t n = dib >= kWithAlphaMask ? 4 : 3;
  for (std::size_t i = 0; i < n; ++i) masks[i] = file.u32(54 + 4 * i);
  const bool alpha_counts = bits == 32;
  for (const Layout& layout : kLayouts) {
    if (layout.bits != bits || !std::equal(masks.begin(), masks.begin() + 3, layout.masks.begin())) continue;
    if (alpha_counts && layout.masks[3] != masks[3]) continue;
    if (bits == 32 && masks[0] == 0) return kUsual32;
    return {masks[0], masks[1], masks[2]};
  }
  throw UnsupportedError(
      fmt::format("BMP has masks {:x}, {:x}, {:x}, {:x} of {} bits; supported are 5-5-5, 5-6-5 and 8 "
                  "bits of each colour in whole bytes",
                  masks[0], masks[1], masks[2], masks[3], bits));
}

/// PIL makes grey of a palette that is 0, 1, 2 ..., or black and white.
bool grey_ramp(const BmpHeader& header) {
  const bool two = header.colours.size() == 2;
  for (std::size_t i = 0; i < header.colours.size(); ++i) {
    const auto level = static_cast<std::uint8_t>(two ? 255 * i : i);
    if (header.colours[i] != std::array{level, level, level}) return false;
  }
  return true;
}

void read_palette(const Fields& file, std::uint64_t at, std::uint64_t n, std::uint64_t entry, BmpHeader& header) {
  const std::uint64_t most = std::uint64_t{1} << header.bits;
  n = n == 0 ? most : n;
  if (n > 65536) throw FormatError(fmt::format("BMP has a palette of {} colours; expected at most {}", n, most));
  for (std::uint64_t i = 0; i < std::min(n, most); ++i) {
    const std::uint64_t from = at + i * entry;
    header.colours.push_back({file.u8(from + 2), file.u8(from + 1), file.u8(from)});
  }
  header.grey = n <= most && grey_ramp(header);
}

void check_rows(const Fields& file, const BmpHeader& header) {
  const std::uint64_t needed = header.data_at + row_bytes(header) * static_cast<std::uint64_t>(header.height);
  if (needed > file.size()) truncated(Codec::bmp, fmt::format("it has {} bytes; expected {}", file.size(), needed));
}

}  // namespace

std::uint64_t row_bytes(const BmpHeader& header) {
  return (static_cast<std::uint64_t>(header.width) * static_cast<std::uint64_t>(header.bits) + 31) / 32 * 4;
}

BmpHeader read_bmp_header(std::span<const std::byte> bytes) {
  const Fields file(bytes, Codec::bmp, false);
  const std::uint32_t dib = file.u32(14);
  const bool core = dib == kCore;
  const auto whole = [&](std::uint64_t at) { return std::int64_t{static_cast<std::int32_t>(file.u32(at))}; };
  BmpHeader header;
  header.width = core ? file.u16(18) : whole(18);
  header.height = core ? file.u16(20) : whole(22);
  header.from_the_top = header.height < 0;
  if (header.from_the_top) header.height = -header.height;
  check_size(Codec::bmp, header.width, header.height);
  header.bits = file.u16(core ? 24 : 28);
  constexpr std::array kBits{1, 4, 8, 16, 24, 32};
  if (std::ranges::find(kBits, header.bits) == kBits.end())
    throw UnsupportedError(fmt::format("BMP has {} bits per pixel; supported are 1, 4, 8, 16, 24 and 32", header.bits));
  header.compression = core ? BmpCompression::none : compression_of(file.u32(30), header, dib == kOs2);
  const bool masked = header.compression == BmpCompression::masks;
  header.masks = header.bits == 16 ? kUsual16 : kUsual32;
  if (masked) header.masks = read_masks(file, dib, header.bits);

  // Masks of the plain header follow it.
  const std::uint64_t palette_at = 14 + std::uint64_t{dib} + (masked && dib < kWithMasks ? 12 : 0);
  header.data_at = file.u32(10);
  if (header.data_at == 0) header.data_at = palette_at;  // not said: straight behind, as PIL takes it
  if (header.bits <= 8) {
    const std::uint64_t n = core ? 0 : file.u32(46);
    read_palette(file, palette_at, n, core ? 3 : 4, header);
    // Some writers forget the palette: nobody's pixels begin in it.
    if (header.data_at == 14 + std::uint64_t{dib}) header.data_at += 4 * (n == 0 ? std::uint64_t{1} << header.bits : n);
  }
  if (header.data_at < palette_at)
    throw FormatError(fmt::format("BMP pixels begin at byte {}, within the header of {}", header.data_at, palette_at));
  if (header.compression == BmpCompression::none || masked) check_rows(file, header);
  return header;
}

}  // namespace shiftnorm::imaging
