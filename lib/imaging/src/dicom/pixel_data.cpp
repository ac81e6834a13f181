#include "dicom/pixel_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "dicom/codestream.hpp"
#include "dicom/dcmtk_jpeg.hpp"
#include "dicom/fault.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

[[noreturn]] void bad_length(const std::string& what) { throw Fault(Reason::pixel_length_mismatch, what); }

/// Native bits of one frame. YBR_FULL_422 shares a pair of colours between two pixels.
std::uint64_t frame_bits(const PixelModule& m) {
  const auto pixels = static_cast<std::uint64_t>(m.rows * m.columns);
  const std::uint64_t samples = m.photometric == Photometric::ybr_full_422 ? 2 : static_cast<std::uint64_t>(m.samples);
  return pixels * samples * static_cast<std::uint64_t>(m.bits_allocated);
}

std::vector<std::byte> copied(std::span<const std::byte> bytes, const Range& range) {
  const auto part = bytes.subspan(range.offset, range.length);
  return {part.begin(), part.end()};
}

// ---- native frames

std::vector<std::byte> unpacked_bits(std::span<const std::byte> value, const PixelModule& m, std::int64_t index) {
  const auto n = static_cast<std::uint64_t>(m.frame_values());
  const std::uint64_t first = n * static_cast<std::uint64_t>(index);  // frames follow each other bit by bit
  std::vector<std::byte> out(n);
  for (std::uint64_t i = 0; i < n; ++i) {
    const std::uint64_t bit = first + i;
    out[i] = (value[bit / 8] >> static_cast<int>(bit % 8)) & std::byte{1};
  }
  return out;
}

/// Y0 Y1 Cb Cr for two pixels becomes Y0 Cb Cr, Y1 Cb Cr (PS3.3 C.7.6.3.1.2).
std::vector<std::byte> expanded_422(std::span<const std::byte> frame) {
  std::vector<std::byte> out;
  out.reserve(frame.size() / 2 * 3);
  for (std::size_t i = 0; i + 3 < frame.size(); i += 4)
    for (std::size_t y = 0; y < 2; ++y) out.insert(out.end(), {frame[i + y], frame[i + 2], frame[i + 3]});
  return out;
}

/// The bytes of `unit` swapped, as big endian needs.
void swap_bytes(std::vector<std::byte>& bytes, std::size_t unit) {
  for (std::size_t i = 0; i + unit <= bytes.size(); i += unit)
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i), bytes.begin() + static_cast<std::ptrdiff_t>(i + unit));
}

std::vector<std::byte> native_values(std::span<const std::byte> bytes, const Layout& layout, const PixelModule& m,
                                     std::int64_t index) {
  const PixelDataPlace& place = *layout.pixels;
  const std::span<const std::byte> value = bytes.subspan(place.value.offset, place.value.length);
  if (m.bits_allocated == 1) {
    if (layout.syntax->big_endian && place.words)
      throw Fault(Reason::unsupported_transfer_syntax, "single bits in big-endian words are not decoded");
    return unpacked_bits(value, m, index);
  }
  if (layout.syntax->big_endian && m.bits_allocated == 32)
    throw Fault(Reason::unsupported_transfer_syntax, "32-bit samples in big-endian words are ambiguous");
  const std::uint64_t size = frame_bits(m) / 8, start = size * static_cast<std::uint64_t>(index);
  std::vector<std::byte> frame;
  if (layout.syntax->big_endian && place.words && m.bits_allocated == 8) {
    // Bytes travel in pairs: a frame of odd length begins inside one.
    const std::uint64_t begin = start & ~std::uint64_t{1};
    const std::uint64_t end = std::min<std::uint64_t>((start + size + 1) & ~std::uint64_t{1}, value.size());
    frame.assign(value.begin() + static_cast<std::ptrdiff_t>(begin), value.begin() + static_cast<std::ptrdiff_t>(end));
    swap_bytes(frame, 2);
    frame.erase(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(start - begin));
    frame.resize(size);
  } else {
    frame = copied(value, {start, size});
    if (layout.syntax->big_endian) swap_bytes(frame, static_cast<std::size_t>(m.bits_allocated / 8));
  }
  if (m.photometric == Photometric::ybr_full_422) return expanded_422(frame);
  return m.planar ? interleaved(frame.data(), m) : frame;
}

// ---- encapsulated frames

std::vector<std::byte> decoded(std::span<const std::byte> stream, const Layout& layout, const PixelModule& m) {
  switch (layout.syntax->packing) {
    case Packing::rle: return decode_rle(stream, m);
    case Packing::jpeg_2000: return decode_jpeg_2000(stream, m);
    case Packing::jpeg:
    case Packing::jpeg_ls: {
      check_geometry(scan_jpeg(stream, layout.syntax->packing == Packing::jpeg_ls), m);
      return decode_with_dcmtk(stream, m, layout.transfer_syntax);
    }
    case Packing::native:
    case Packing::unsupported: break;
  }
  throw Fault(Reason::unsupported_transfer_syntax, "the transfer syntax is not decoded");
}

/// Takes the stored bits out of their cells and extends the sign.
template <class Cell>
void extract(std::vector<std::byte>& values, const PixelModule& m) {
  const int down = m.high_bit + 1 - m.bits_stored, spare = static_cast<int>(8 * sizeof(Cell)) - m.bits_stored;
  if (down == 0 && spare == 0) return;
  const Cell mask = static_cast<Cell>(static_cast<Cell>(~Cell{0}) >> spare);
  const Cell sign = static_cast<Cell>(Cell{1} << (m.bits_stored - 1));
  const Cell extended = m.is_signed ? sign : Cell{0};
  std::byte* const begin = values.data();
  const std::size_t size = values.size();
  for (std::size_t at = 0; at < size; at += sizeof(Cell)) {
    Cell cell;
    std::memcpy(&cell, begin + at, sizeof(Cell));
    cell = static_cast<Cell>(static_cast<Cell>(cell >> down) & mask);
    cell = static_cast<Cell>(static_cast<Cell>(cell ^ extended) - extended);  // extends the sign
    std::memcpy(begin + at, &cell, sizeof(Cell));
  }
}

void extract_bits(std::vector<std::byte>& values, const PixelModule& m) {
  if (m.bits_allocated == 8) extract<std::uint8_t>(values, m);
  if (m.bits_allocated == 16) extract<std::uint16_t>(values, m);
  if (m.bits_allocated == 32) extract<std::uint32_t>(values, m);
}

}  // namespace

void check_pixel_length(const PixelModule& m, const Layout& layout) {
  if (layout.syntax->packing != Packing::native) return;
  if (m.photometric == Photometric::ybr_full_422 && (m.columns % 2 != 0 || m.bits_allocated != 8))
    throw Fault(Reason::bad_pixel_module, "YBR_FULL_422 with an odd width or other than 8 bits");
  const std::uint64_t expected = (frame_bits(m) * static_cast<std::uint64_t>(m.frames) + 7) / 8;
  const std::uint64_t found = layout.pixels->value.length;
  if (found < expected) bad_length(fmt::format("{} bytes of pixel data; the header needs {}", found, expected));
  constexpr std::uint64_t kSlack = 1024;
  if (found > expected + expected / 20 + kSlack)
    bad_length(fmt::format("{} bytes of pixel data; the header needs {}", found, expected));
}

StoredFrame native_frame(std::span<const std::byte> bytes, const Layout& layout, const PixelModule& m,
                         std::int64_t index) {
  StoredFrame frame{m, native_values(bytes, layout, m, index)};
  extract_bits(frame.values, m);
  return frame;
}

StoredFrame decoded_frame(std::span<const std::byte> stream, const Layout& layout, const PixelModule& m) {
  const Packing packing = layout.syntax->packing;
  if (m.bits_allocated == 1 && packing != Packing::jpeg_2000)
    throw Fault(Reason::unsupported_transfer_syntax, "compressed single bits are decoded from JPEG 2000 alone");
  StoredFrame frame{m, decoded(stream, layout, m)};
  // OpenJPEG has extended the sign at the codestream's own precision.
  if (packing != Packing::jpeg_2000) extract_bits(frame.values, m);
  frame.module.photometric = colour_of(stream, layout, m).photometric;
  return frame;
}

ResolvedColour colour_of(std::span<const std::byte> head, const Layout& layout, const PixelModule& m) {
  const Packing packing = layout.syntax->packing;
  if (m.samples != 3) return {m.photometric, {}};
  if (packing == Packing::jpeg) return resolve_colour(scan_jpeg_head(head, false), m, packing);
  if (packing == Packing::jpeg_2000) return resolve_colour(scan_jpeg_2000(head).facts, m, packing);
  return {m.photometric, {}};
}

}  // namespace shiftnorm::imaging::dicom
