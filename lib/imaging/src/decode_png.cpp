#include "decode_png.hpp"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <vector>

#include "image_header.hpp"
#include "sample_rows.hpp"
#include "shiftnorm/container/zip.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging {
namespace {

using Bytes = std::span<const std::byte>;

/// A match of 258 bytes costs 2 bits at best.
constexpr std::size_t kDeflateRatio = 1032;

/// The chunks that carry pixels; libpng sees no others, so that none can cost memory or change values.
constexpr std::array<std::string_view, 4> kPixelChunks{"IHDR", "PLTE", "IDAT", "IEND"};

/// The signature and the chunks that carry pixels, in their order, their checksums right (ISO/IEC 15948).
std::vector<Bytes> pixel_chunks(Bytes bytes) {
  const Fields file(bytes, Codec::png, true);
  constexpr std::uint32_t kHeader = 0x49484452;  // "IHDR"
  if (file.u32(8) != 13 || file.u32(12) != kHeader)
    throw FormatError("PNG file does not begin with an IHDR chunk of 13 bytes");
  check_size(Codec::png, file.u32(16), file.u32(20));
  std::vector<Bytes> chunks{bytes.first(8)};
  for (std::uint64_t at = 8;;) {
    if (at == file.size()) truncated(Codec::png, "it has no IEND chunk");
    const std::uint64_t length = file.u32(at);
    const std::uint64_t whole = 12 + length;
    static_cast<void>(file.u32(at + 4));
    const auto begin = static_cast<std::size_t>(at);
    const std::string_view type = as_text(bytes.subspan(begin + 4, 4));
    if (whole > file.size() - at) truncated(Codec::png, fmt::format("its {} chunk ends early", printable(type)));
    const bool critical = type[0] >= 'A' && type[0] <= 'Z';
    const bool wanted = std::ranges::find(kPixelChunks, type) != kPixelChunks.end();
    if (critical && !wanted)
      throw UnsupportedError(fmt::format("PNG has an unknown critical chunk {}", printable(type)));
    if (wanted) {
      if (container::crc32(bytes.subspan(begin + 4, static_cast<std::size_t>(length) + 4)) != file.u32(at + 8 + length))
        throw FormatError(fmt::format("PNG chunk {} has a wrong checksum", printable(type)));
      chunks.push_back(bytes.subspan(begin, static_cast<std::size_t>(whole)));
      if (type == "IEND") return chunks;
    }
    at += whole;
  }
}

// NOLINTBEGIN(cert-err52-cpp): libpng is C and has no other way out of its frames.
/// One reading of libpng's. Each step is false where libpng gave up: it then jumps back to that step, so that no step
/// may hold anything that has a destructor.
class PngReading {
 public:
  explicit PngReading(std::vector<Bytes> chunks) : chunks_(std::move(chunks)) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, give_up, [](png_structp, png_const_charp) {});
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw MachineError("out of memory reading a PNG");
    }
  }
  PngReading(const PngReading&) = delete;
  PngReading& operator=(const PngReading&) = delete;
  ~PngReading() { png_destroy_read_struct(&png_, &info_, nullptr); }

  /// Up to the first pixels: then the properties below hold, and rows come as bytes, or 16-bit numbers of the machine.
  [[nodiscard]] bool read_header() {
    if (setjmp(failed_) != 0) return false;
    png_set_read_fn(png_, this, [](png_structp png, png_bytep to, std::size_t n) {
      static_cast<PngReading*>(png_get_io_ptr(png))->feed(to, n);
    });
    // Sizes are checked already, by their product.
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_read_info(png_, info_);
    if (colour_type() == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png_);
    if (colour_type() == PNG_COLOR_TYPE_PALETTE) png_set_packing(png_);
    if (bits() == 16 && little_endian()) png_set_swap(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    row_bytes_ = png_get_rowbytes(png_, info_);
    return true;
  }
  /// One row of a picture that has no passes.
  [[nodiscard]] bool read_row(std::byte* row) {
    if (setjmp(failed_) != 0) return false;
    png_read_row(png_, reinterpret_cast<png_bytep>(row), nullptr);
    return true;
  }
  /// All rows, each of row_bytes(), of a picture that has several.
  [[nodiscard]] bool read_rows(std::byte* rows) {
    if (setjmp(failed_) != 0) return false;
    const png_uint_32 height = png_get_image_height(png_, info_);
    for (int pass = 0; pass < passes_; ++pass)
      for (png_uint_32 y = 0; y < height; ++y)
        png_read_row(png_, reinterpret_cast<png_bytep>(rows + y * row_bytes_), nullptr);
    return true;
  }

  [[nodiscard]] std::int64_t height() const { return png_get_image_height(png_, info_); }
  [[nodiscard]] std::int64_t width() const { return png_get_image_width(png_, info_); }
  [[nodiscard]] int bits() const { return png_get_bit_depth(png_, info_); }
  [[nodiscard]] int colour_type() const { return png_get_color_type(png_, info_); }
  [[nodiscard]] int samples() const { return png_get_channels(png_, info_); }
  [[nodiscard]] int passes() const { return passes_; }
  [[nodiscard]] std::size_t row_bytes() const { return row_bytes_; }
  [[nodiscard]] std::span<const png_color> palette() const {
    png_colorp colours = nullptr;
    int n = 0;
    png_get_PLTE(png_, info_, &colours, &n);
    return {colours, static_cast<std::size_t>(n)};
  }
  [[nodiscard]] const char* reason() const { return reason_.data(); }

 private:
  static bool little_endian() {
    const std::uint16_t one = 1;
    return *reinterpret_cast<const unsigned char*>(&one) == 1;
  }
  [[noreturn]] static void give_up(png_structp png, png_const_charp text) {
    auto& self = *static_cast<PngReading*>(png_get_error_ptr(png));
    std::strncpy(self.reason_.data(), text, self.reason_.size() - 1);
    std::longjmp(self.failed_, 1);
  }
  void feed(png_bytep to, std::size_t n) {
    while (n > 0) {
      if (chunk_ == chunks_.size()) png_error(png_, "no more data");
      const Bytes left = chunks_[chunk_].subspan(done_);
      const std::size_t now = std::min(n, left.size());
      std::memcpy(to, left.data(), now);
      to += now;
      n -= now;
      done_ += now;
      if (done_ == chunks_[chunk_].size()) {
        ++chunk_;
        done_ = 0;
      }
    }
  }

  std::vector<Bytes> chunks_;
  std::size_t chunk_ = 0, done_ = 0;  ///< what was fed
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf failed_{};
  std::array<char, 80> reason_{};
  int passes_ = 1;
  std::size_t row_bytes_ = 0;
};
// NOLINTEND(cert-err52-cpp)

[[noreturn]] void undecodable(const PngReading& reading) {
  throw FormatError(fmt::format("PNG data cannot be decoded: {}", printable(reading.reason())));
}

void copy_colours(const std::byte* row, std::int64_t width, std::span<const png_color> palette, std::uint16_t* to) {
  for (std::int64_t x = 0; x < width; ++x, to += 3) {
    const auto index = std::to_integer<std::size_t>(row[x]);
    if (index >= palette.size())
      throw FormatError(fmt::format("PNG has a pixel of colour {}; its palette has {}", index, palette.size()));
    to[0] = palette[index].red;
    to[1] = palette[index].green;
    to[2] = palette[index].blue;
  }
}

}  // namespace

Image decode_png(std::span<const std::byte> file) {
  PngReading reading(pixel_chunks(file));
  if (!reading.read_header()) undecodable(reading);
  const bool indexed = reading.colour_type() == PNG_COLOR_TYPE_PALETTE, wide = reading.bits() == 16;
  const bool grey = !indexed && (reading.colour_type() & PNG_COLOR_MASK_COLOR) == 0;
  Image image{.height = reading.height(), .width = reading.width(), .channels = grey ? 1 : 3, .bits = wide ? 16 : 8};
  const auto kept = static_cast<std::size_t>(image.channels);
  const Move how{.pixels = static_cast<std::size_t>(image.width),
                 .from_stride = static_cast<std::size_t>(reading.samples()),
                 .kept = kept,
                 .to_stride = kept};
  if (reading.row_bytes() * static_cast<std::size_t>(image.height) / kDeflateRatio > file.size())
    truncated(Codec::png, "its data cannot hold its pixels");
  image.pixels.resize(image.values());
  const bool whole = reading.passes() > 1;
  std::vector<std::byte> rows(reading.row_bytes() * (whole ? static_cast<std::size_t>(image.height) : 1));
  if (whole && !reading.read_rows(rows.data())) undecodable(reading);
  std::uint16_t* to = image.pixels.data();
  for (std::int64_t y = 0; y < image.height; ++y, to += image.width * image.channels) {
    if (!whole && !reading.read_row(rows.data())) undecodable(reading);
    const std::byte* row = rows.data() + (whole ? static_cast<std::size_t>(y) * reading.row_bytes() : 0);
    if (indexed)
      copy_colours(row, image.width, reading.palette(), to);
    else if (wide)
      move_row<std::uint16_t>(row, how, to);
    else
      move_row<std::uint8_t>(row, how, to);
  }
  return image;
}

}  // namespace shiftnorm::imaging
