#include "decode_jpeg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "shiftnorm/core/error.hpp"
// Needs <cstdio> before it.
#include <jpeglib.h>

namespace shiftnorm::imaging {
namespace {

/// One reading of libjpeg's. Each step is false where libjpeg gave up: it then jumps back to that step, so that no step
/// may hold anything that has a destructor.
class Reading {
 public:
  explicit Reading(std::span<const std::byte> file) : file_(file) {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = &failed_;
    errors_.error_exit = give_up;
    errors_.emit_message = [](j_common_ptr, int) {};
    errors_.output_message = [](j_common_ptr) {};
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  ~Reading() { jpeg_destroy_decompress(&info_); }

  /// Up to the frame header: then info() tells the size and the components.
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
    info_.out_color_space = colours;
    jpeg_start_decompress(&info_);
    return true;
  }
  /// The next row, values() of it.
  [[nodiscard]] bool read_row(std::uint8_t* row) {
    if (setjmp(failed_) != 0) return false;
    return jpeg_read_scanlines(&info_, &row, 1) == 1;
  }

  [[nodiscard]] const jpeg_decompress_struct& info() const { return info_; }
  [[nodiscard]] std::size_t values() const {
    return std::size_t{info_.output_width} * static_cast<std::size_t>(info_.output_components);
  }

 private:
  [[noreturn]] static void give_up(j_common_ptr info) {
    std::longjmp(*static_cast<std::jmp_buf*>(info->client_data), 1);
  }

  std::span<const std::byte> file_;
  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  std::jmp_buf failed_{};
};

[[noreturn]] void undecodable() { throw FormatError("JPEG data cannot be decoded"); }

/// a * b / 255, rounded: PIL's MULDIV255.
std::uint32_t scaled(std::uint32_t a, std::uint32_t b) {
  const std::uint32_t product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

/// Inks that Adobe stores as what they leave of the light; the fourth, black, takes from all three.
void copy_inks(std::span<const std::uint8_t> row, std::uint16_t* to) {
  for (std::size_t i = 0; i < row.size(); i += 4)
    for (std::size_t c = 0; c < 3; ++c)
      *to++ = static_cast<std::uint16_t>(row[i + 3] - scaled(255U - row[i + c], row[i + 3]));
}

}  // namespace

Image decode_jpeg(std::span<const std::byte> file, const ImageHeader& header) {
  Reading reading(file);
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
