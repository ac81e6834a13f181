#include "shiftnorm/imaging/libraries.hpp"

#include <dcmtk/config/osconfig.h>
#include <openjpeg.h>
#include <png.h>
#include <tiffio.h>
#include <webp/decode.h>

#include <cstdio>
#include <opencv2/core/utility.hpp>
#include <string>
// Needs <cstdio> before it.
#include <jpeglib.h>

namespace shiftnorm::imaging {
namespace {

// libjpeg gives its version only to the compiler, as a number: 2001005 of libjpeg-turbo 2.1.5.
std::string jpeg_version() {
#ifdef LIBJPEG_TURBO_VERSION_NUMBER
  constexpr int kNumber = LIBJPEG_TURBO_VERSION_NUMBER;
  return std::to_string(kNumber / 1000000) + "." + std::to_string(kNumber / 1000 % 1000) + "." +
         std::to_string(kNumber % 1000);
#else
  return std::to_string(JPEG_LIB_VERSION / 10) + "." + std::to_string(JPEG_LIB_VERSION % 10);
#endif
}

/// "4.5.0" of "LIBTIFF, Version 4.5.0" and the lines behind it.
std::string tiff_version() {
  const std::string text = TIFFGetVersion();
  const std::size_t begin = text.find_first_of("0123456789");
  return begin == std::string::npos ? "unknown" : text.substr(begin, text.find('\n', begin) - begin);
}

std::string webp_version() {
  const int number = WebPGetDecoderVersion();
  return std::to_string(number >> 16) + "." + std::to_string(number >> 8 & 0xff) + "." + std::to_string(number & 0xff);
}

}  // namespace

std::vector<Library> libraries() {
  return {
      {"OpenCV", cv::getVersionString()}, {"libjpeg-turbo", jpeg_version()}, {"libpng", png_get_libpng_ver(nullptr)},
      {"libtiff", tiff_version()},        {"libwebp", webp_version()},       {"DCMTK", PACKAGE_VERSION},
      {"OpenJPEG", opj_version()}};
}

}  // namespace shiftnorm::imaging
