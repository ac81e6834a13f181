#include "decode_jpeg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "image_header.hpp"
#include "sample_rows.hpp"
#include "shiftnorm/core/error.hpp"
// Need <cstdio> before them.
#include <jpeglib.h>
// Behind it.
#include <jerror.h>

namespace shiftnorm::imaging {
namespace {

struct Extent {
  std::int64_t height = 0, width = 0;
};

bool is_start_of_frame(int marker) {
  return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/// Position after the next marker at or after `at`, its code in `marker`; stuffed zeros and restarts are data.
std::uint64_t next_marker(const Fields& file, std::uint64_t at, int& marker) {
  const std::span<const std::byte> bytes = file.bytes();
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

/// Walks over the segments (ITU-T T.81, annex B) to the end of the image.
Extent read_header(std::span<const std::byte> bytes) {
  const Fields file(bytes, Codec::jpeg, true);
  Extent extent;
  bool frame = false;
  for (std::uint64_t at = 2;;) {
    int marker = 0;
    at = next_marker(file, at, marker);
    if (marker == 0xd9) break;
    if (marker == 0xd8) continue;
    const std::uint64_t length = file.u16(at);
    if (length < 2)
      throw FormatError(fmt::format("JPEG segment 0x{:02x} has length {}; expected at least 2", marker, length));
    if (is_start_of_frame(marker) && !frame) {
      frame = true;
      if (const int precision = file.u8(at + 2); precision != 8)
        throw UnsupportedError(fmt::format("JPEG with {} bits per value; supported are 8", precision));
      extent = {file.u16(at + 3), file.u16(at + 5)};
      check_size(Codec::jpeg, extent.width, extent.height);
    }
    at += length;
  }
  if (!frame) throw FormatError("JPEG file has no frame header");
  return extent;
}

/// Warnings of libjpeg's after which it fills in what is not there: bits, a block, or all up to the next restart.
constexpr std::array kLosses{JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE, JWRN_ARITH_BAD_CODE, JWRN_MUST_RESYNC};

/// Each costs a pass over all blocks, and a few bytes of the file: real ones have a dozen.
constexpr int kMostScans = 500;

// NOLINTBEGIN(cert-err52-cpp): libjpeg is C and has no other way out of its frames.
/// One reading of libjpeg's. Each step is false where libjpeg gave up: it then jumps back to that step, so that no step
/// may hold anything that has a destructor.
class JpegReading {
 public:
  explicit JpegReading(std::span<const std::byte> file) : file_(file) {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = give_up;
    errors_.emit_message = [](j_common_ptr info, int level) {
      if (level < 0 && std::ranges::find(kLosses, info->err->msg_code) != kLosses.end())
        static_cast<JpegReading*>(info->client_data)->lossy_ = true;
    };
    errors_.output_message = [](j_common_ptr) {};
  }
  JpegReading(const JpegReading&) = delete;
  JpegReading& operator=(const JpegReading&) = delete;
  ~JpegReading() { jpeg_destroy_decompress(&info_); }

  /// Up to the frame header: then info() has the size and the components.
  [[nodiscard]] bool read_header() {
    if (setjmp(failed_) != 0) return false;
    jpeg_create_decompress(&info_);
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(file_.data()), file_.size());
    // libjpeg's own would make up an end of the image, and grey for what is missing.
    info_.src->fill_input_buffer = [](j_decompress_ptr info) -> boolean {
      give_up(reinterpret_cast<j_common_ptr>(info));
      return FALSE;
    };
    jpeg_read_header(&info_, TRUE);
    return true;
  }
  [[nodiscard]] bool start(J_COLOR_SPACE colours) {
    if (setjmp(failed_) != 0) return false;
    info_.progress = &progress_;
    progress_.progress_monitor = [](j_common_ptr info) {
      if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMostScans) give_up(info);
    };
    info_.out_color_space = colours;
    jpeg_start_decompress(&info_);
    return true;
  }
  /// The next row, values() of it.
  [[nodiscard]] bool read_row(std::uint8_t* row) {
    if (setjmp(failed_) != 0) return false;
    return jpeg_read_scanlines(&info_, &row, 1) == 1 && !lossy_;
  }

  [[nodiscard]] const jpeg_decompress_struct& info() const { return info_; }
  [[nodiscard]] std::size_t values() const {
    return std::size_t{info_.output_width} * static_cast<std::size_t>(info_.output_components);
  }

 private:
  [[noreturn]] static void give_up(j_common_ptr info) {
    std::longjmp(static_cast<JpegReading*>(info->client_data)->failed_, 1);
  }

  std::span<const std::byte> file_;
  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf failed_{};
  bool lossy_ = false;
};
// NOLINTEND(cert-err52-cpp)

[[noreturn]] void undecodable() { throw FormatError("JPEG data cannot be decoded"); }

/// Inks that Adobe stores as what they leave of the light; the fourth, black, takes from all three.
void copy_inks(std::span<const std::uint8_t> row, std::uint16_t* to) {
  for (std::size_t i = 0; i < row.size(); i += 4)
    for (std::size_t c = 0; c < 3; ++c) *to++ = light_of(255U - row[i + c], 255U - row[i + 3]);
}

}  // namespace

Image decode_jpeg(std::span<const std::byte> file) {
  const Extent header = read_header(file);
  JpegReading reading(file);
  if (!reading.read_header()) undecodable();
  const jpeg_decompress_struct& info = reading.info();
  if (info.image_height != header.height || info.image_width != header.width)
    throw FormatError(fmt::format("JPEG data decode to {} x {} pixels; the header says {} x {}", info.image_width,
                                  info.image_height, header.width, header.height));
  const bool grey = info.num_components == 1, inks = info.num_components == 4;
  if (!reading.start(grey ? JCS_GRAYSCALE : inks ? JCS_CMYK : JCS_RGB)) undecodable();
  Image image{.height = header.height, .width = header.width, .channels = grey ? 1 : 3, .bits = 8};
  image.pixels.resize(image.values());
  std::vector<std::uint8_t> row(reading.values());
  std::uint16_t* to = image.pixels.data();
  for (std::int64_t y = 0; y < image.height; ++y, to += image.width * image.channels) {
    if (!reading.read_row(row.data())) undecodable();
    if (inks)
      copy_inks(row, to);
    else
      std::copy(row.begin(), row.end(), to);
  }
  return image;
}

}  // namespace shiftnorm::imaging
