#include "decode_webp.hpp"

#include <fmt/format.h>
#include <webp/decode.h>
#include <webp/demux.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "image_header.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging {
namespace {

/// RIFF says how long it is; libwebp would make do with less where it can.
void check_length(std::span<const std::byte> file) {
  const Fields fields(file, Codec::webp, false);
  const std::uint64_t needed = 8 + std::uint64_t{fields.u32(4)};
  if (needed > file.size()) truncated(Codec::webp, fmt::format("it has {} bytes; expected {}", file.size(), needed));
}

/// The frames of a file, of which a still picture has one.
class Container {
 public:
  explicit Container(std::span<const std::byte> file)
      : data_{reinterpret_cast<const std::uint8_t*>(file.data()), file.size()},
        demuxer_(WebPDemux(&data_), WebPDemuxDelete) {
    if (demuxer_ == nullptr || WebPDemuxGetFrame(demuxer_.get(), 1, &first_) == 0 || first_.complete == 0)
      throw FormatError("WebP file has no whole frame");
  }
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;
  ~Container() { WebPDemuxReleaseIterator(&first_); }

  [[nodiscard]] const WebPIterator& first() const { return first_; }
  [[nodiscard]] std::int64_t height() const { return WebPDemuxGetI(demuxer_.get(), WEBP_FF_CANVAS_HEIGHT); }
  [[nodiscard]] std::int64_t width() const { return WebPDemuxGetI(demuxer_.get(), WEBP_FF_CANVAS_WIDTH); }

 private:
  WebPData data_;
  std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)> demuxer_;
  WebPIterator first_{};
};

}  // namespace

Image decode_webp(std::span<const std::byte> file) {
  check_length(file);
  const Container frames(file);
  const WebPIterator& frame = frames.first();
  Image image{.height = frames.height(), .width = frames.width(), .channels = 3};
  check_size(Codec::webp, image.width, image.height);
  // Around a smaller one lies nothing; PIL makes it black.
  if (frame.width != image.width || frame.height != image.height)
    throw UnsupportedError(
        fmt::format("WebP has a first frame of {} x {} on {} x {} pixels; supported are first frames "
                    "that cover them all",
                    frame.width, frame.height, image.width, image.height));
  std::vector<std::uint8_t> colours(image.values());
  const int row = static_cast<int>(3 * image.width);
  if (WebPDecodeRGBInto(frame.fragment.bytes, frame.fragment.size, colours.data(), colours.size(), row) == nullptr)
    throw FormatError("WebP data cannot be decoded");
  image.pixels.assign(colours.begin(), colours.end());
  return image;
}

}  // namespace shiftnorm::imaging
