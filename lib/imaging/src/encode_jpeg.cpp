#include "encode_jpeg.hpp"

#include <fmt/format.h>

#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "shiftnorm/core/error.hpp"
// Needs <cstdio> before it.
#include <jpeglib.h>

namespace shiftnorm::imaging {
namespace {

// NOLINTBEGIN(cert-err52-cpp): libjpeg is C and has no other way out of its frames.
/// One writing of libjpeg's. run() is false where libjpeg gave up: it then jumps back, so that run() may hold nothing
/// that has a destructor.
class Writing {
 public:
  explicit Writing(const Image& image) : image_(image), row_(static_cast<std::size_t>(image.width * image.channels)) {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = &failed_;
    errors_.error_exit = [](j_common_ptr info) { std::longjmp(*static_cast<std::jmp_buf*>(info->client_data), 1); };
    errors_.output_message = [](j_common_ptr) {};
  }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;
  ~Writing() {
    jpeg_destroy_compress(&info_);
    std::free(bytes_);
  }

  [[nodiscard]] bool run(int quality) {
    if (setjmp(failed_) != 0) return false;
    jpeg_create_compress(&info_);
    jpeg_mem_dest(&info_, &bytes_, &size_);
    info_.image_height = static_cast<JDIMENSION>(image_.height);
    info_.image_width = static_cast<JDIMENSION>(image_.width);
    info_.input_components = static_cast<int>(image_.channels);
    info_.in_color_space = image_.channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&info_);
    jpeg_set_quality(&info_, quality, TRUE);
    jpeg_start_compress(&info_, TRUE);
    for (std::size_t y = 0; y < static_cast<std::size_t>(image_.height); ++y) {
      for (std::size_t i = 0; i < row_.size(); ++i)
        row_[i] = static_cast<std::uint8_t>(image_.pixels[y * row_.size() + i]);
      std::uint8_t* rows = row_.data();
      jpeg_write_scanlines(&info_, &rows, 1);
    }
    jpeg_finish_compress(&info_);
    return true;
  }
  [[nodiscard]] std::vector<std::byte> file() const {
    const auto* begin = reinterpret_cast<const std::byte*>(bytes_);
    return {begin, begin + size_};
  }

 private:
  const Image& image_;
  std::vector<std::uint8_t> row_;
  jpeg_compress_struct info_{};
  jpeg_error_mgr errors_{};
  std::jmp_buf failed_{};
  unsigned char* bytes_ = nullptr;
  unsigned long size_ = 0;
};
// NOLINTEND(cert-err52-cpp)

}  // namespace

std::vector<std::byte> encode_jpeg(const Image& image, int quality) {
  Writing writing(image);
  if (!writing.run(quality))
    throw UnsupportedError(
        fmt::format("an image of {} x {} pixels cannot be encoded as JPEG", image.width, image.height));
  return writing.file();
}

}  // namespace shiftnorm::imaging
