#include "image_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "shiftnorm/container/zip.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging {
namespace {

using Bytes = std::span<const std::byte>;

[[noreturn]] void truncated(Codec codec, std::string_view detail) {
  throw FormatError(fmt::format("{} file is truncated: {}", name_of(codec), detail));
}

/// Unsigned integers of a file in its byte order; reading beyond the end is an error.
class Fields {
 public:
  Fields(Bytes bytes, Codec codec, bool big_endian) : bytes_(bytes), codec_(codec), big_endian_(big_endian) {}

  [[nodiscard]] std::uint64_t read(std::uint64_t at, std::size_t n) const {
    if (at > bytes_.size() || n > bytes_.size() - at) truncated(codec_, "its header ends early");
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t from = static_cast<std::size_t>(at) + (big_endian_ ? i : n - 1 - i);
      value = value << 8 | std::to_integer<std::uint64_t>(bytes_[from]);
    }
    return value;
  }
  [[nodiscard]] std::uint8_t u8(std::uint64_t at) const { return static_cast<std::uint8_t>(read(at, 1)); }
  [[nodiscard]] std::uint16_t u16(std::uint64_t at) const { return static_cast<std::uint16_t>(read(at, 2)); }
  [[nodiscard]] std::uint32_t u32(std::uint64_t at) const { return static_cast<std::uint32_t>(read(at, 4)); }
  [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }

 private:
  Bytes bytes_;
  Codec codec_;
  bool big_endian_;
};

void check_size(const ImageHeader& header) {
  const std::int64_t h = header.height, w = header.width;
  if (h <= 0 || w <= 0)
    throw FormatError(
        fmt::format("{} header says {} x {} pixels; expected at least 1 x 1", name_of(header.codec), w, h));
  if (w > kMaxPixels / h)
    throw FormatError(fmt::format("{} header says {} x {} pixels; expected at most {} in all", name_of(header.codec), w,
                                  h, kMaxPixels));
}

// ---- JPEG (ITU-T T.81, annex B)

bool is_start_of_frame(int marker) {
  return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/// Position after the next marker at or after `at`, its code in `marker`; stuffed zeros and restarts are data.
std::uint64_t next_marker(const Fields& file, Bytes bytes, std::uint64_t at, int& marker) {
  while (at < file.size()) {
    const void* hit = std::memchr(bytes.data() + at, 0xff, static_cast<std::size_t>(file.size() - at));
    if (hit == nullptr) break;
    at = static_cast<std::uint64_t>(static_cast<const std::byte*>(hit) - bytes.data()) + 1;
    if (at >= file.size()) break;
    marker = file.u8(at);
    if (marker != 0x00 && marker != 0x01 && marker != 0xff && (marker < 0xd0 || marker > 0xd7)) return at + 1;
  }
  truncated(Codec::jpeg, "it has no end-of-image marker");
}

ImageHeader read_jpeg(Bytes bytes) {
  const Fields file(bytes, Codec::jpeg, true);
  ImageHeader header{.codec = Codec::jpeg};
  bool frame = false;
  for (std::uint64_t at = 2;;) {
    int marker = 0;
    at = next_marker(file, bytes, at, marker);
    if (marker == 0xd9) break;
    if (marker == 0xd8) continue;
    const std::uint64_t length = file.u16(at);
    if (length < 2)
      throw FormatError(fmt::format("JPEG segment 0x{:02x} has length {}; expected at least 2", marker, length));
    if (is_start_of_frame(marker) && !frame) {
      frame = true;
      if (const int precision = file.u8(at + 2); precision != 8)
        throw UnsupportedError(fmt::format("JPEG with {} bits per value; supported are 8", precision));
      header.height = file.u16(at + 3);
      header.width = file.u16(at + 5);
      check_size(header);
    }
    at += length;
  }
  if (!frame) throw FormatError("JPEG file has no frame header");
  return header;
}

// ---- PNG (ISO/IEC 15948)

/// Names of the four-byte chunks that carry pixels.
constexpr std::array<std::string_view, 4> kPixelChunks{"IHDR", "PLTE", "IDAT", "IEND"};

ImageHeader read_png(std::vector<std::byte>& bytes) {
  const Fields file(bytes, Codec::png, true);
  if (file.u32(8) != 13 || as_text(Bytes(bytes).subspan(12, 4)) != "IHDR")
    throw FormatError("PNG file does not begin with an IHDR chunk of 13 bytes");
  ImageHeader header{
      .codec = Codec::png, .height = file.u32(20), .width = file.u32(16), .grey_alpha = file.u8(25) == 4};
  check_size(header);
  std::size_t kept = 8;
  for (std::uint64_t at = 8;;) {
    if (at == file.size()) truncated(Codec::png, "it has no IEND chunk");
    const std::uint64_t length = file.u32(at);
    const std::uint64_t whole = 12 + length;
    static_cast<void>(file.u32(at + 4));
    const auto begin = static_cast<std::size_t>(at);
    const std::string_view type = as_text(Bytes(bytes).subspan(begin + 4, 4));
    if (whole > file.size() - at) truncated(Codec::png, fmt::format("its {} chunk ends early", printable(type)));
    const bool critical = type[0] >= 'A' && type[0] <= 'Z';
    const bool wanted = std::ranges::find(kPixelChunks, type) != kPixelChunks.end();
    if (critical && !wanted)
      throw UnsupportedError(fmt::format("PNG has an unknown critical chunk {}", printable(type)));
    if (wanted) {
      const Bytes covered = Bytes(bytes).subspan(begin + 4, static_cast<std::size_t>(length) + 4);
      if (container::crc32(covered) != file.u32(at + 8 + length))
        throw FormatError(fmt::format("PNG chunk {} has a wrong checksum", printable(type)));
      const bool last = type == "IEND";
      std::memmove(bytes.data() + kept, bytes.data() + begin, static_cast<std::size_t>(whole));
      kept += static_cast<std::size_t>(whole);
      if (last) break;
    }
    at += whole;
  }
  bytes.resize(kept);
  return header;
}

// ---- BMP

/// Bytes of the DIB header, which name its version (core, info, with masks, V4, V5, OS/2).
constexpr std::array<std::uint32_t, 7> kDibSizes{12, 40, 52, 56, 64, 108, 124};

ImageHeader read_bmp(Bytes bytes) {
  const Fields file(bytes, Codec::bmp, false);
  const bool core = file.u32(14) == 12;
  const auto extent = [&](std::uint64_t at) {
    return core ? static_cast<std::int64_t>(file.u16(at))
                : static_cast<std::int64_t>(static_cast<std::int32_t>(file.u32(at)));
  };
  // A negative height means rows from the top.
  ImageHeader header{.codec = Codec::bmp, .height = std::abs(extent(core ? 20 : 22)), .width = extent(18)};
  check_size(header);
  const std::uint64_t bits = file.u16(core ? 24 : 28);
  const std::uint32_t compression = core ? 0 : file.u32(30);
  constexpr std::uint32_t kPlain = 0, kBitFields = 3;
  if (compression == kPlain || compression == kBitFields) {
    const std::uint64_t row = (static_cast<std::uint64_t>(header.width) * bits + 31) / 32 * 4;
    const std::uint64_t needed = file.u32(10) + row * static_cast<std::uint64_t>(header.height);
    if (needed > file.size()) truncated(Codec::bmp, fmt::format("it has {} bytes; expected {}", file.size(), needed));
  }
  return header;
}

// ---- TIFF 6.0 and BigTIFF

struct TiffTag {
  std::uint64_t type = 0, count = 0, values_at = 0;
};

/// The first directory of a TIFF file.
class TiffDirectory {
 public:
  explicit TiffDirectory(Bytes bytes)
      : file_(bytes, Codec::tiff, std::to_integer<char>(bytes[0]) == 'M'), big_(file_.u16(2) == 43) {
    const std::uint64_t at = big_ ? file_.read(8, 8) : file_.u32(4);
    const std::uint64_t n = file_.read(at, big_ ? 8 : 2);
    first_ = at + (big_ ? 8 : 2);
    if (n > file_.size() / entry_bytes()) truncated(Codec::tiff, "its directory ends early");
    n_ = n;
  }

  [[nodiscard]] const Fields& file() const { return file_; }

  [[nodiscard]] std::optional<TiffTag> find(std::uint16_t id) const {
    for (std::uint64_t i = 0; i < n_; ++i) {
      const std::uint64_t at = first_ + i * entry_bytes();
      if (file_.u16(at) != id) continue;
      TiffTag tag{
          .type = file_.u16(at + 2), .count = file_.read(at + 4, big_ ? 8 : 4), .values_at = at + (big_ ? 12 : 8)};
      const std::uint64_t inline_bytes = big_ ? 8 : 4;
      if (tag.count > inline_bytes / bytes_of(tag)) tag.values_at = file_.read(tag.values_at, big_ ? 8 : 4);
      if (tag.count > file_.size() / bytes_of(tag)) truncated(Codec::tiff, fmt::format("its tag {} ends early", id));
      return tag;
    }
    return std::nullopt;
  }

  [[nodiscard]] std::uint64_t value(const TiffTag& tag, std::uint64_t i) const {
    return file_.read(tag.values_at + i * bytes_of(tag), bytes_of(tag));
  }
  [[nodiscard]] std::uint64_t first(std::uint16_t id, std::uint64_t absent) const {
    const std::optional<TiffTag> tag = find(id);
    return tag && tag->count > 0 ? value(*tag, 0) : absent;
  }

 private:
  [[nodiscard]] std::uint64_t entry_bytes() const { return big_ ? 20 : 12; }
  static std::size_t bytes_of(const TiffTag& tag) {
    constexpr std::uint64_t kByte = 1, kShort = 3, kLong = 4, kLong8 = 16;
    switch (tag.type) {
      case kByte: return 1;
      case kShort: return 2;
      case kLong: return 4;
      case kLong8: return 8;
      default: throw FormatError(fmt::format("TIFF tag has type {}; expected an unsigned integer", tag.type));
    }
  }

  Fields file_;
  bool big_;
  std::uint64_t first_ = 0, n_ = 0;
};

namespace tiff {
constexpr std::uint16_t kWidth = 256, kHeight = 257, kBits = 258, kPhotometric = 262, kStripOffsets = 273,
                        kOrientation = 274, kStripBytes = 279, kTileOffsets = 324, kTileBytes = 325,
                        kExtraSamples = 338;
}

void check_tiff_data(const TiffDirectory& directory, std::uint16_t offsets_id, std::uint16_t bytes_id) {
  const std::optional<TiffTag> offsets = directory.find(offsets_id), counts = directory.find(bytes_id);
  if (!offsets || !counts) return;
  const std::uint64_t size = directory.file().size();
  for (std::uint64_t i = 0; i < std::min(offsets->count, counts->count); ++i) {
    const std::uint64_t at = directory.value(*offsets, i), n = directory.value(*counts, i);
    if (at > size || n > size - at)
      truncated(Codec::tiff, fmt::format("pixel data at byte {} has {} bytes, the file {}", at, n, size));
  }
}

/// Overwrites the first value of a tag that is a SHORT; both of its bytes, so byte order matters only for the low one.
void set_short(std::vector<std::byte>& bytes, const TiffTag& tag, std::uint8_t value) {
  const bool big_endian = std::to_integer<char>(bytes[0]) == 'M';
  const auto at = static_cast<std::size_t>(tag.values_at);
  bytes[at] = std::byte{big_endian ? std::uint8_t{0} : value};
  bytes[at + 1] = std::byte{big_endian ? value : std::uint8_t{0}};
}

ImageHeader read_tiff(std::vector<std::byte>& bytes) {
  const TiffDirectory directory(bytes);
  constexpr auto kLargest = static_cast<std::uint64_t>(INT32_MAX);
  ImageHeader header{.codec = Codec::tiff,
                     .height = static_cast<std::int64_t>(std::min(directory.first(tiff::kHeight, 0), kLargest)),
                     .width = static_cast<std::int64_t>(std::min(directory.first(tiff::kWidth, 0), kLargest))};
  check_size(header);
  check_tiff_data(directory, tiff::kStripOffsets, tiff::kStripBytes);
  check_tiff_data(directory, tiff::kTileOffsets, tiff::kTileBytes);
  constexpr std::uint64_t kWhiteIsZero = 0, kBlackIsZero = 1, kShort = 3;
  header.inverted_grey16 =
      directory.first(tiff::kBits, 1) == 16 && directory.first(tiff::kPhotometric, kBlackIsZero) == kWhiteIsZero;
  if (const auto tag = directory.find(tiff::kOrientation); tag && tag->count == 1 && tag->type == kShort) {
    // Values outside 1..8 mean nothing; libtiff and PIL ignore them too.
    if (const std::uint64_t value = directory.value(*tag, 0); value >= 1 && value <= 8) {
      header.orientation = static_cast<int>(value);
      set_short(bytes, *tag, 1);
    }
  }
  if (const auto tag = directory.find(tiff::kExtraSamples); tag && tag->count == 1 && tag->type == kShort) {
    // Unassociated alpha: libtiff would multiply the colours by it; "unspecified" leaves them, as PIL does.
    constexpr std::uint64_t kUnassociated = 2;
    static_cast<void>(directory.value(*tag, 0));
    if (directory.value(*tag, 0) == kUnassociated) set_short(bytes, *tag, 0);
  }
  return header;
}

}  // namespace

std::optional<Codec> codec_of(std::span<const std::byte> head) noexcept {
  using namespace std::string_view_literals;
  const std::string_view text = as_text(head);
  if (text.starts_with("\xff\xd8\xff"sv)) return Codec::jpeg;
  if (text.starts_with("\x89PNG\r\n\x1a\n"sv)) return Codec::png;
  for (const std::string_view magic : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv})
    if (text.starts_with(magic)) return Codec::tiff;
  if (text.starts_with("BM"sv) && text.size() >= kMagicBytes) {
    // Two letters alone would take prose for a picture; the size of the second header decides.
    std::uint32_t dib = 0;
    for (std::size_t i = 0; i < 4; ++i) dib |= std::to_integer<std::uint32_t>(head[14 + i]) << (8 * i);
    if (std::ranges::find(kDibSizes, dib) != kDibSizes.end()) return Codec::bmp;
  }
  return std::nullopt;
}

std::string_view name_of(Codec codec) noexcept {
  constexpr std::array<std::string_view, 4> kNames{"JPEG", "PNG", "TIFF", "BMP"};
  return kNames[static_cast<std::size_t>(codec)];
}

ImageHeader read_image_header(std::vector<std::byte>& file) {
  const std::optional<Codec> codec = codec_of(file);
  if (file.empty()) throw FormatError("is empty; expected an image (JPEG, PNG, TIFF or BMP)");
  if (!codec) throw FormatError("is no image: its first bytes are of no known format; expected JPEG, PNG, TIFF or BMP");
  switch (*codec) {
    case Codec::jpeg: return read_jpeg(file);
    case Codec::png: return read_png(file);
    case Codec::tiff: return read_tiff(file);
    case Codec::bmp: return read_bmp(file);
  }
  throw Error("image format without a header reader");
}

}  // namespace shiftnorm::imaging
