#include "dicom/codestream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "dicom/fault.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

[[noreturn]] void corrupt(std::string_view what, std::uint64_t at) {
  throw Fault(Reason::corrupt_codestream, fmt::format("{} at byte {} of the codestream", what, at));
}

/// Big-endian numbers of a codestream, never past its end.
class Stream {
 public:
  explicit Stream(std::span<const std::byte> bytes) : bytes_(bytes) {}
  [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }
  [[nodiscard]] unsigned u8(std::uint64_t at) const {
    if (at >= bytes_.size()) corrupt("the data end", bytes_.size());
    return std::to_integer<unsigned>(bytes_[at]);
  }
  [[nodiscard]] unsigned u16(std::uint64_t at) const { return u8(at) << 8 | u8(at + 1); }
  [[nodiscard]] std::uint32_t u32(std::uint64_t at) const { return std::uint32_t{u16(at)} << 16 | u16(at + 2); }

 private:
  std::span<const std::byte> bytes_;
};

constexpr unsigned kSoi = 0xd8, kEoi = 0xd9, kSos = 0xda, kLsFrame = 0xf7;

bool is_restart(unsigned marker) { return marker >= 0xd0 && marker <= 0xd7; }
bool is_jpeg_frame(unsigned m) { return m >= 0xc0 && m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc; }

/// Entropy-coded data end at a marker; JPEG stuffs a zero behind FF, JPEG-LS a zero bit.
std::uint64_t end_of_scan(const Stream& s, std::uint64_t at, bool jpeg_ls) {
  for (; at + 1 < s.size(); ++at) {
    if (s.u8(at) != 0xff) continue;
    const unsigned next = s.u8(at + 1);
    if (next == 0xff || is_restart(next) || (jpeg_ls ? next < 0x80 : next == 0)) continue;
    return at;
  }
  corrupt("no end marker", s.size());
}

/// A marker segment; `at` is where its length is.
struct Segment {
  unsigned marker = 0, length = 0;
  std::uint64_t at = 0;
  [[nodiscard]] std::uint64_t end() const { return at + length; }
};

Segment segment_at(const Stream& s, std::uint64_t at) {
  if (s.u8(at) != 0xff) corrupt("no marker", at);
  while (s.u8(at + 1) == 0xff) ++at;
  const unsigned marker = s.u8(at + 1);
  if (marker == kEoi) return {marker, 0, at + 2};
  // TEM, restarts and a second SOI have no length: DCMTK's own scan loops on them.
  if (marker < 0xc0 || is_restart(marker) || marker == kSoi) corrupt("a marker out of place", at);
  const unsigned length = s.u16(at + 2);
  if (length < 2 || length > s.size() - at - 2) corrupt("a segment past the end", at);
  return {marker, length, at + 2};
}

void note_frame(const Stream& s, const Segment& segment, CodestreamFacts& facts) {
  if (segment.length < 8) corrupt("a short frame header", segment.at);
  facts.precision = static_cast<int>(s.u8(segment.at + 2));
  facts.height = s.u16(segment.at + 3);
  facts.width = s.u16(segment.at + 5);
  facts.components = s.u8(segment.at + 7);
  // SOF3, 7, 11 and 15.
  facts.lossless = segment.marker != kLsFrame && segment.marker % 4 == 3;
  for (std::uint64_t c = 0; c < facts.ids.size() && 8 + 3 * c < segment.length; ++c)
    facts.ids.at(c) = s.u8(segment.at + 8 + 3 * c);
}

bool begins_with(const Stream& s, const Segment& segment, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i)
    if (s.u8(segment.at + 2 + i) != static_cast<unsigned char>(text[i])) return false;
  return true;
}

/// As libjpeg recognises them (jdmarker.c): "JFIF" in 14 bytes or more, "Adobe" in 12 or more.
void note_application(const Stream& s, const Segment& segment, CodestreamFacts& facts) {
  constexpr unsigned kApp0 = 0xe0, kApp14 = 0xee;
  const unsigned bytes = segment.length - 2;
  if (segment.marker == kApp0 && bytes >= 14 && begins_with(s, segment, {"JFIF\0", 5})) facts.jfif = true;
  if (segment.marker == kApp14 && bytes >= 12 && begins_with(s, segment, "Adobe"))
    facts.adobe_transform = s.u8(segment.at + 2 + 11);
}

/// Every marker from SOI to EOI, or to the first scan: there a decoder has decided what the colours are.
CodestreamFacts scan_markers(const Stream& s, bool jpeg_ls, bool whole) {
  CodestreamFacts facts;
  if (s.u16(0) != (0xff00U | kSoi)) corrupt("no start marker", 0);
  std::uint64_t at = 2;
  bool framed = false, scanned = false;
  while (true) {
    const Segment segment = segment_at(s, at);
    if (segment.marker == kEoi) break;
    if (jpeg_ls ? segment.marker == kLsFrame : is_jpeg_frame(segment.marker)) {
      if (framed) corrupt("a second frame header", at);
      framed = true;
      note_frame(s, segment, facts);
    }
    if (!scanned) note_application(s, segment, facts);
    at = segment.end();
    if (segment.marker != kSos) continue;
    if (!framed) corrupt("a scan before the frame header", at);
    if (!whole) return facts;
    scanned = true;
    at = end_of_scan(s, at, jpeg_ls);
  }
  if (!scanned) corrupt("no scan", at);
  return facts;
}

/// Whether COD, among the markers of the main header, asks for the component transform (T.800 A.6.1).
bool mixes_components(const Stream& s) {
  constexpr unsigned kCod = 0xff52, kSot = 0xff90;
  std::uint64_t at = 4 + s.u16(4);
  while (s.u16(at) != kSot) {
    if (s.u16(at) == kCod) return s.u8(at + 8) != 0;
    const unsigned length = s.u16(at + 2);
    if (length < 2) corrupt("a short segment", at);
    at += 2 + length;
  }
  return false;
}

}  // namespace

CodestreamFacts scan_jpeg(std::span<const std::byte> stream, bool jpeg_ls) {
  return scan_markers(Stream(stream), jpeg_ls, true);
}

CodestreamFacts scan_jpeg_head(std::span<const std::byte> stream, bool jpeg_ls) {
  return scan_markers(Stream(stream), jpeg_ls, false);
}

Jpeg2000Stream scan_jpeg_2000(std::span<const std::byte> stream) {
  constexpr std::uint32_t kSignature = 0x6a502020, kCodestream = 0x6a703263;
  const Stream file(stream);
  if (file.size() >= 12 && file.u32(0) == 12 && file.u32(4) == kSignature) {
    std::uint64_t at = 0;
    while (true) {
      std::uint64_t length = file.u32(at), head = 8;
      const std::uint32_t type = file.u32(at + 4);
      if (length == 1) {
        length = std::uint64_t{file.u32(at + 8)} << 32 | file.u32(at + 12);
        head = 16;
      }
      if (length == 0) length = file.size() - at;
      if (length < head || length > file.size() - at) corrupt("a box past the end", at);
      if (type == kCodestream) {
        stream = stream.subspan(at + head, length - head);
        break;
      }
      at += length;
      if (at + 8 > file.size()) corrupt("no codestream box", at);
    }
  }
  const Stream s(stream);
  if (s.u16(0) != 0xff4f || s.u16(2) != 0xff51) corrupt("no SOC and SIZ marker", 0);
  // Bit 15 of Rsiz: extensions of part 2, which these transfer syntaxes do not have.
  if (s.u16(4) != 38 + 3 * s.u16(40) || (s.u16(6) & 0x8000U) != 0) corrupt("a SIZ marker of another kind", 4);
  const std::uint32_t x1 = s.u32(8), y1 = s.u32(12), x0 = s.u32(16), y0 = s.u32(20);
  if (x0 >= x1 || y0 >= y1) corrupt("an empty image area", 8);
  Jpeg2000Stream found{stream, {}};
  found.facts.width = std::int64_t{x1} - x0;
  found.facts.height = std::int64_t{y1} - y0;
  found.facts.components = s.u16(40);
  if (found.facts.components < 1) corrupt("no component", 40);
  for (std::int64_t c = 0; c < found.facts.components; ++c) {
    const auto at = static_cast<std::uint64_t>(42 + 3 * c);
    const int precision = static_cast<int>(s.u8(at) & 0x7fU) + 1;
    found.facts.precision = std::max(found.facts.precision, precision);
    if (s.u8(at + 1) != 1 || s.u8(at + 2) != 1)
      throw Fault(Reason::geometry_mismatch, "the components of the codestream are subsampled");
  }
  found.facts.mixes_components = mixes_components(s);
  return found;
}

void check_geometry(const CodestreamFacts& facts, const PixelModule& module) {
  if (facts.width != module.columns || facts.height != module.rows || facts.components != module.samples)
    throw Fault(Reason::geometry_mismatch,
                fmt::format("the codestream holds {} x {} x {}; the header says {} x {} x {}", facts.height,
                            facts.width, facts.components, module.rows, module.columns, module.samples));
  if (facts.precision < 1 || facts.precision > module.bits_allocated)
    throw Fault(Reason::geometry_mismatch, fmt::format("the codestream holds {} bits; the header allocates {}",
                                                       facts.precision, module.bits_allocated));
}

std::vector<std::byte> decode_rle(std::span<const std::byte> stream, const PixelModule& module) {
  constexpr std::uint64_t kHeader = 64;
  if (stream.size() < kHeader) corrupt("the RLE header is cut", stream.size());
  const auto number = [&](std::size_t i) {
    std::uint32_t value = 0;
    for (std::size_t b = 4; b-- > 0;) value = value << 8 | std::to_integer<std::uint32_t>(stream[4 * i + b]);
    return value;
  };
  const auto cell = static_cast<std::size_t>(module.value_bytes()), samples = static_cast<std::size_t>(module.samples);
  const std::size_t segments = cell * samples;
  if (number(0) != segments)
    throw Fault(Reason::corrupt_codestream, fmt::format("{} RLE segments; expected {}", number(0), segments));
  const auto plane = static_cast<std::size_t>(module.rows * module.columns);
  std::vector<std::byte> out(plane * segments);
  for (std::size_t segment = 0; segment < segments; ++segment) {
    const std::uint64_t begin = number(1 + segment);
    const std::uint64_t end = segment + 1 < segments ? number(2 + segment) : stream.size();
    if (begin < kHeader || begin > end || end > stream.size()) corrupt("an RLE offset out of order", 4 * (1 + segment));
    // Segments go sample by sample, most significant byte first.
    std::byte* dst = out.data() + (segment / cell) * cell + (cell - 1 - segment % cell);
    std::size_t done = 0;
    for (std::uint64_t at = begin; at < end && done < plane;) {
      const unsigned control = std::to_integer<unsigned>(stream[at++]);
      if (control == 128) continue;
      const std::size_t run = control < 128 ? control + 1 : 257 - control;
      const std::size_t bytes = control < 128 ? run : 1;
      if (end - at < bytes || plane - done < run) corrupt("an RLE run past the end", at);
      for (std::size_t i = 0; i < run; ++i) dst[(done + i) * segments] = stream[at + (control < 128 ? i : 0)];
      at += bytes;
      done += run;
    }
    if (done < plane) corrupt("an RLE segment ends early", begin);
  }
  return out;
}

}  // namespace shiftnorm::imaging::dicom
