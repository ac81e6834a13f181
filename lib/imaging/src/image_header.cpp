#include "image_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {
namespace {

using namespace std::string_view_literals;

/// Bytes of a BMP's second header, which name its version (core, info, with masks, OS/2, V4, V5).
constexpr std::array<std::uint32_t, 7> kDibSizes{12, 40, 52, 56, 64, 108, 124};

/// Two letters alone would take prose for a picture; the size of the second header decides.
bool begins_bmp(std::string_view text) {
  if (!text.starts_with("BM"sv) || text.size() < kMagicBytes) return false;
  std::uint32_t dib = 0;
  for (std::size_t i = 0; i < 4; ++i) dib |= std::uint32_t{static_cast<unsigned char>(text[14 + i])} << (8 * i);
  return std::ranges::find(kDibSizes, dib) != kDibSizes.end();
}

/// "P5", white space, and what a header may go on with: prose seldom does.
bool begins_pnm(std::string_view text) {
  if (text.size() < 4 || text[0] != 'P' || text[1] < '1' || text[1] > '6') return false;
  constexpr std::string_view kSpace = " \t\n\v\f\r", kNext = " \t\n\v\f\r#0123456789";
  return kSpace.find(text[2]) != kSpace.npos && kNext.find(text[3]) != kNext.npos;
}

/// Formats that people have among their pictures and this module does not decode.
struct Other {
  std::size_t at;
  std::string_view bytes, name;
};
constexpr std::array kOthers{Other{0, "GIF87a"sv, "a GIF"},
                             Other{0, "GIF89a"sv, "a GIF"},
                             Other{0, "\0\0\0\x0cjP  "sv, "a JPEG 2000 file"},
                             Other{0, "\xff\x4f\xff\x51"sv, "a JPEG 2000 codestream"},
                             Other{0, "\0\0\0\x0cJXL "sv, "a JPEG XL file"},
                             Other{0, "\xff\x0a"sv, "a JPEG XL codestream"},
                             Other{4, "ftypavif"sv, "an AVIF file"},
                             Other{4, "ftypheic"sv, "an HEIC file"},
                             Other{4, "ftypmif1"sv, "an HEIF file"},
                             Other{0, "8BPS"sv, "a Photoshop file"},
                             Other{0, "%PDF"sv, "a PDF"},
                             Other{0, "P7\n"sv, "a PAM file"},
                             Other{0, "PF\n"sv, "a PFM file"},
                             Other{0, "Pf\n"sv, "a PFM file"},
                             Other{0, "v/1\x01"sv, "an OpenEXR file"},
                             Other{0, "<svg"sv, "an SVG drawing"},
                             Other{0, "\0\0\1\0"sv, "a Windows icon"},
                             Other{128, "DICM"sv, "a DICOM object"}};

/// "JPEG, PNG or TIFF".
std::string formats() { return alternatives(kCodecs.list()); }

}  // namespace

std::optional<Codec> codec_of(std::span<const std::byte> head) noexcept {
  const std::string_view text = as_text(head);
  if (text.starts_with("\xff\xd8\xff"sv)) return Codec::jpeg;
  if (text.starts_with("\x89PNG\r\n\x1a\n"sv)) return Codec::png;
  for (const std::string_view magic : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv})
    if (text.starts_with(magic)) return Codec::tiff;
  if (begins_bmp(text)) return Codec::bmp;
  if (text.starts_with("RIFF"sv) && text.size() >= 12 && text.substr(8, 4) == "WEBP"sv) return Codec::webp;
  if (begins_pnm(text)) return Codec::pnm;
  return std::nullopt;
}

std::vector<std::byte> head_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::vector<std::byte> head(kMagicBytes);
  stream.read(reinterpret_cast<char*>(head.data()), kMagicBytes);
  head.resize(static_cast<std::size_t>(stream.gcount()));
  return head;
}

std::string image_format(const std::filesystem::path& file) {
  constexpr std::array<std::string_view, 3> kPortable{"pbm", "pgm", "ppm"};  // "P1" to "P3" as text, "P4" to "P6"
  const std::vector<std::byte> head = head_of(file);
  const std::optional<Codec> codec = codec_of(head);
  if (!codec) return "unknown";
  if (*codec == Codec::pnm) return std::string(kPortable.at((static_cast<std::size_t>(head[1]) - '1') % 3));
  return std::string(kCodecs[*codec].word);
}

Codec expect_codec(std::span<const std::byte> file) {
  if (file.empty()) throw FormatError(fmt::format("is empty; expected an image ({})", formats()));
  if (const std::optional<Codec> codec = codec_of(file)) return *codec;
  const std::string_view text = as_text(file);
  for (const Other& other : kOthers)
    if (text.size() >= other.at && text.substr(other.at).starts_with(other.bytes))
      throw UnsupportedError(fmt::format("is {}; expected {}", other.name, formats()));
  throw FormatError(fmt::format("is not an image: its first bytes match no known format; expected {}", formats()));
}

void check_size(Codec codec, std::int64_t width, std::int64_t height) {
  if (height <= 0 || width <= 0)
    throw FormatError(
        fmt::format("{} header says {} x {} pixels; expected at least 1 x 1", kCodecs.name_of(codec), width, height));
  if (width > kMaxPixels / height)
    throw FormatError(fmt::format("{} header says {} x {} pixels; expected at most {} in all", kCodecs.name_of(codec),
                                  width, height, kMaxPixels));
}

void truncated(Codec codec, std::string_view detail) {
  throw FormatError(fmt::format("{} file is truncated: {}", kCodecs.name_of(codec), detail));
}

std::uint64_t Fields::read(std::uint64_t at, std::size_t n) const {
  if (at > bytes_.size() || n > bytes_.size() - at) truncated(codec_, "its header ends early");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t from = static_cast<std::size_t>(at) + (big_endian_ ? i : n - 1 - i);
    value = value << 8 | std::to_integer<std::uint64_t>(bytes_[from]);
  }
  return value;
}

}  // namespace shiftnorm::imaging
