#include "decode_image.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>

#include "decode_jpeg.hpp"
#include "image_header.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging {
namespace {

/// OpenCV's log and thread pool are process-wide: switched off once, before its first use here.
void quiet_opencv() {
  static const bool done = [] {
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    cv::setNumThreads(1);
    return true;
  }();
  static_cast<void>(done);
}

cv::Mat run_decoder(std::vector<std::byte>& file, const ImageHeader& header) {
  quiet_opencv();
  constexpr int kFlags = cv::IMREAD_UNCHANGED | cv::IMREAD_IGNORE_ORIENTATION;
  try {
    const cv::Mat encoded(1, static_cast<int>(file.size()), CV_8UC1, file.data());
    cv::Mat pixels = cv::imdecode(encoded, kFlags);
    if (!pixels.empty()) return pixels;
  } catch (const cv::Exception&) {
    // OpenCV's text names its own source lines: nothing a reader of ours could use.
  }
  throw FormatError(fmt::format("{} data cannot be decoded", name_of(header.codec)));
}

/// OpenCV's order is B, G, R (, A); a fourth channel is dropped.
template <class T>
void copy_pixels(const cv::Mat& src, Image& dst) {
  const int from = src.channels();
  std::uint16_t* out = dst.pixels.data();
  for (int y = 0; y < src.rows; ++y) {
    const T* row = src.ptr<T>(y);
    if (dst.channels == 1) {
      for (int x = 0; x < src.cols; ++x) *out++ = row[x * from];
    } else {
      for (int x = 0; x < src.cols; ++x, row += from, out += 3) {
        out[0] = row[2];
        out[1] = row[1];
        out[2] = row[0];
      }
    }
  }
}

/// Where pixel (y, x) of the upright image lies in the stored one of h x w, for TIFF's orientation 1..8.
struct Upright {
  bool transposed, flip_rows, flip_columns;  ///< of the stored image
};
constexpr std::array<Upright, 8> kUpright{{{false, false, false},
                                           {false, false, true},
                                           {false, true, true},
                                           {false, true, false},
                                           {true, false, false},
                                           {true, true, false},
                                           {true, true, true},
                                           {true, false, true}}};

Image turn_upright(Image stored, int orientation) {
  const Upright how = kUpright.at(static_cast<std::size_t>(orientation - 1));
  if (orientation == 1) return stored;
  Image out{.height = how.transposed ? stored.width : stored.height,
            .width = how.transposed ? stored.height : stored.width,
            .channels = stored.channels,
            .bits = stored.bits,
            .pixels = std::vector<std::uint16_t>(stored.pixels.size())};
  std::size_t at = 0;
  for (std::int64_t y = 0; y < out.height; ++y) {
    for (std::int64_t x = 0; x < out.width; ++x) {
      std::int64_t row = how.transposed ? x : y, column = how.transposed ? y : x;
      if (how.flip_rows) row = stored.height - 1 - row;
      if (how.flip_columns) column = stored.width - 1 - column;
      const auto from = static_cast<std::size_t>((row * stored.width + column) * stored.channels);
      for (std::int64_t c = 0; c < out.channels; ++c)
        out.pixels[at++] = stored.pixels[from + static_cast<std::size_t>(c)];
    }
  }
  return out;
}

}  // namespace

Image decode_image(std::vector<std::byte> file) {
  const ImageHeader header = read_image_header(file);
  if (header.codec == Codec::jpeg) return decode_jpeg(file, header);
  const cv::Mat pixels = run_decoder(file, header);
  const int depth = pixels.depth(), channels = pixels.channels();
  if (pixels.rows != header.height || pixels.cols != header.width)
    throw FormatError(fmt::format("{} data decode to {} x {} pixels; the header says {} x {}", name_of(header.codec),
                                  pixels.cols, pixels.rows, header.width, header.height));
  if (depth != CV_8U && depth != CV_16U)
    throw UnsupportedError(fmt::format(
        "{} holds values that are not unsigned 8 or 16 bit integers; supported are those", name_of(header.codec)));
  if (channels != 1 && channels != 3 && channels != 4)
    throw UnsupportedError(
        fmt::format("{} has {} channels; supported are 1, 3 and 4", name_of(header.codec), channels));
  Image image{.height = pixels.rows,
              .width = pixels.cols,
              .channels = channels == 1 || header.grey_alpha ? 1 : 3,
              .bits = depth == CV_8U ? 8 : 16,
              .pixels = {}};
  image.pixels.resize(static_cast<std::size_t>(image.height * image.width * image.channels));
  if (depth == CV_8U)
    copy_pixels<std::uint8_t>(pixels, image);
  else
    copy_pixels<std::uint16_t>(pixels, image);
  if (header.inverted_grey16 && image.bits == 16 && image.channels == 1)
    for (std::uint16_t& v : image.pixels) v = static_cast<std::uint16_t>(65535 - v);
  return turn_upright(std::move(image), header.orientation);
}

}  // namespace shiftnorm::imaging
