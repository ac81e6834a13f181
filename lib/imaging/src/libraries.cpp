#include "shiftnorm/imaging/libraries.hpp"

#include <dcmtk/config/osconfig.h>
#include <openjpeg.h>

#include <cstdio>
#include <opencv2/core/utility.hpp>
#include <string>
// Needs <cstdio> before it.
#include <jpeglib.h>

namespace shiftnorm::imaging {
namespace {

// libjpeg tells its version to the compiler alone, as a number: 2001005 of libjpeg-turbo 2.1.5.
std::string jpeg_version() {
#ifdef LIBJPEG_TURBO_VERSION_NUMBER
  constexpr int kNumber = LIBJPEG_TURBO_VERSION_NUMBER;
  return std::to_string(kNumber / 1000000) + "." + std::to_string(kNumber / 1000 % 1000) + "." +
         std::to_string(kNumber % 1000);
#else
  return std::to_string(JPEG_LIB_VERSION / 10) + "." + std::to_string(JPEG_LIB_VERSION % 10);
#endif
}

}  // namespace

std::vector<Library> libraries() {
  return {{"OpenCV", cv::getVersionString()},
          {"libjpeg-turbo", jpeg_version()},
          {"DCMTK", PACKAGE_VERSION},
          {"OpenJPEG", opj_version()}};
}

}  // namespace shiftnorm::imaging
