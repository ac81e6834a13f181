#include "resample.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>

#include "goldens.hpp"
#include "support.hpp"

using namespace shiftnorm::imaging;
using namespace shiftnorm::imaging::test;

namespace {

Interpolation named(std::string_view name) {
  const std::map<std::string_view, Interpolation> names{
      {"nearest", Interpolation::nearest}, {"bilinear", Interpolation::bilinear}, {"bicubic", Interpolation::bicubic}};
  return names.at(name);
}

}  // namespace

// Oracle: PIL 9.4 through torchvision 0.14 (make_goldens.py); to the bit, 16 bits as PIL's mode "I".
TEST_CASE("Resizing is PIL's", "[imaging]") {
  for (const goldens::Resized& row : goldens::kResized) {
    INFO(row.height << " x " << row.width << " x " << row.channels << ", " << row.bits << " bits, to " << row.to_height
                    << " x " << row.to_width << " " << row.interpolation);
    const Image out = resample(picture(row.height, row.width, row.channels, row.bits), row.to_height, row.to_width,
                               named(row.interpolation), true, {0, 0, row.to_height, row.to_width});
    CHECK(out.height == row.to_height);
    CHECK(out.width == row.to_width);
    CHECK(digest(out) == row.pixels_sha256);
  }
}

// Oracle: torchvision 0.14 on a tensor, antialias=False. 1 grey level: sums in float may round a half the other way.
TEST_CASE("Without antialiasing, resizing is torch's", "[imaging]") {
  const auto check = [](Interpolation how, const auto& expected) {
    const Image out = resample(picture(5, 6, 1), 3, 8, how, false, {0, 0, 3, 8});
    REQUIRE(out.pixels.size() == std::size(expected));
    for (std::size_t i = 0; i < out.pixels.size(); ++i) CHECK(std::abs(out.pixels[i] - expected[i]) <= 1);
  };
  check(Interpolation::bilinear, goldens::kTensorBilinear);
  check(Interpolation::bicubic, goldens::kTensorBicubic);
}

// Oracle: by hand. 4 -> 2 doubles the triangle's width to support 2: distances 0.5, 0.5 and 1.5 in units of 2 weigh
// 0.75, 0.75 and 0.25, and the border cuts the fourth; normalised 3/7, 3/7, 1/7.
TEST_CASE("Filter weights when halving four samples", "[imaging]") {
  const Taps taps = antialiased_taps(4, 2, 0, 2, Interpolation::bilinear);
  CHECK(taps.stride == 5);
  CHECK(taps.first == std::vector<std::int64_t>{0, 1});
  CHECK(taps.count == std::vector<std::int64_t>{3, 3});
  const double expected[] = {3.0 / 7, 3.0 / 7, 1.0 / 7, 0, 0, 1.0 / 7, 3.0 / 7, 3.0 / 7, 0, 0};
  for (std::size_t i = 0; i < 10; ++i) CHECK(taps.weights[i] == Approx(expected[i]).margin(1e-15));
}

// A law: the channels of a picture know nothing of each other. Colours and grey have kernels of their own.
TEST_CASE("Colours are resized as three grey pictures", "[imaging]") {
  const Image colours = picture(37, 52, 3);
  for (const Interpolation how : {Interpolation::bilinear, Interpolation::bicubic})
    for (const Window& window : {Window{0, 0, 29, 41}, Window{3, 5, 20, 36}, Window{0, 40, 29, 1}, Window{28, 0, 1, 2}})
      for (const std::int64_t scale : {1, 3}) {  // smaller, and larger
        const std::int64_t height = scale * 29, width = scale * 41;
        const Image all = resample(colours, height, width, how, true, window);
        for (std::size_t c = 0; c < 3; ++c) {
          Image grey{.height = colours.height, .width = colours.width, .channels = 1};
          for (std::size_t i = c; i < colours.pixels.size(); i += 3) grey.pixels.push_back(colours.pixels[i]);
          std::vector<std::uint16_t> found;
          for (std::size_t i = c; i < all.pixels.size(); i += 3) found.push_back(all.pixels[i]);
          CHECK(found == resample(grey, height, width, how, true, window).pixels);
        }
      }
}

// A law: a window is a cut-out of the whole.
TEST_CASE("A window of a resized image is the same part of the whole", "[imaging]") {
  const Image image = picture(37, 52, 3);
  const Window window{5, 7, 11, 9};
  for (const bool antialias : {true, false}) {
    for (const Interpolation how : {Interpolation::nearest, Interpolation::bilinear, Interpolation::bicubic}) {
      for (const auto& [height, width] : {std::pair{20, 30}, {60, 80}, {37, 30}, {20, 52}, {37, 52}}) {
        const Image whole = resample(image, height, width, how, antialias, {0, 0, height, width});
        const Image part = resample(image, height, width, how, antialias, window);
        bool same = part.pixels.size() == std::size_t{11} * 9 * 3;
        for (std::int64_t y = 0; y < 11; ++y)
          for (std::int64_t i = 0; i < 27; ++i)
            same = same && part.pixels[static_cast<std::size_t>(y * 27 + i)] ==
                               whole.pixels[static_cast<std::size_t>(((y + 5) * width + 7) * 3 + i)];
        INFO(height << " x " << width << (antialias ? " antialiased" : ""));
        CHECK(same);
      }
    }
  }
}
