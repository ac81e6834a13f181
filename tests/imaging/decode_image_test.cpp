#include "decode_image.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>

#include "goldens.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/imaging/transform.hpp"
#include "support.hpp"

using namespace shiftnorm;
using namespace shiftnorm::imaging;
using namespace shiftnorm::imaging::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

std::vector<std::byte> cut(std::vector<std::byte> file, std::size_t bytes) {
  file.resize(file.size() - bytes);
  return file;
}

}  // namespace

// Oracle: PIL 9.4 (make_goldens.py): the same pixels to the bit.
TEST_CASE("Decoded pixels are PIL's", "[imaging]") {
  for (const goldens::File& file : goldens::kFiles) {
    INFO(file.name);
    const Image image = decode_image(from_hex(file.hex));
    CHECK(image.height == file.height);
    CHECK(image.width == file.width);
    CHECK(image.channels == file.channels);
    CHECK(image.bits == file.bits);
    CHECK(digest(image) == file.pixels_sha256);
  }
}

// Oracle: PIL 9.4, to the bit.
TEST_CASE("A CMYK JPEG is PIL's", "[imaging]") {
  const Image image = decode_image(from_hex(goldens::kCmyk));
  REQUIRE(image.channels == 3);
  CHECK(image.pixels == std::vector<std::uint16_t>(std::begin(goldens::kCmykPixels), std::end(goldens::kCmykPixels)));
}

// Oracle: PIL 9.4 (make_goldens.py): modes F and I.
TEST_CASE("Real and signed numbers of a TIFF stay what they are", "[imaging]") {
  for (const goldens::Reals& file : goldens::kReals) {
    INFO(file.name);
    const Image image = decode_image(from_hex(file.hex));
    CHECK(image.height == file.height);
    CHECK(image.width == file.width);
    CHECK(image.channels == 1);
    CHECK(image.bits == 0);
    CHECK(image.pixels.empty());
    CHECK(image.reals == std::vector<float>(std::begin(file.pixels), std::end(file.pixels)));
  }
}

// Nothing says which value is white in such a file.
// Oracle: by hand: -50 / 200 and 100 / 200.
TEST_CASE("Real numbers outside [0, 1] need a scale", "[imaging]") {
  Image image{.height = 1, .width = 2, .channels = 1, .bits = 0, .reals = {0.25f, 1.0f}};
  const Pipeline plain{"custom", {ToFloat{}}}, scaled{"custom", {ToFloat{200.0}}}, none{"custom", {}};
  std::vector<float> values(2);
  apply_float_steps(plain, apply_image_steps(plain, image, 1), values);
  CHECK(values == std::vector<float>{0.25f, 1.0f});
  image.reals = {-50.0f, 100.0f};
  CHECK(error_of<ConfigError>([&] { return apply_image_steps(plain, image, 1); }) ==
        "preprocess: an image holds real numbers from -50 to 100, and to_float without a scale takes those in [0, 1]; "
        "expected to_float with a scale");
  apply_float_steps(scaled, apply_image_steps(scaled, image, 1), values);
  CHECK(values == std::vector<float>{-0.25f, 0.5f});
  CHECK(apply_image_steps(none, image, 3).reals == std::vector<float>{-50, -50, -50, 100, 100, 100});
}

// Oracle: the level that was written.
TEST_CASE("A bitmap decodes to its own numbers", "[imaging]") {
  const Image image = decode_image(flat_bmp(3, 5, 77));
  CHECK(image.height == 3);
  CHECK(image.width == 5);
  CHECK(image.pixels == std::vector<std::uint16_t>(45, 77));
}

// Law: content decides, names do not.
TEST_CASE("What is no image is refused by its content", "[imaging]") {
  const auto prose = as_bytes("Some notes about the patients.");
  CHECK_THAT(refusal({prose.begin(), prose.end()}), StartsWith("is not an image"));
  CHECK_THAT(refusal({}), StartsWith("is empty"));
  const auto letters = as_bytes("BMW is a car maker, and this is no bitmap.");
  CHECK_THAT(refusal({letters.begin(), letters.end()}), StartsWith("is not an image"));
}

// Law: a picture of which a pixel is missing is bad.
TEST_CASE("A truncated file of any format is refused", "[imaging]") {
  for (const goldens::File& file : goldens::kFiles) {
    INFO(file.name);
    const std::vector<std::byte> whole = from_hex(file.hex);
    if (file.name.starts_with("tiff")) {
      // Directories or pixels come last; the place of a next directory, up to eight bytes, is needed by none.
      CHECK_FALSE(refusal(cut(whole, 9)).empty());
    } else {
      // Runs end with a mark of two bytes behind that of the last row, which no pixel needs.
      CHECK_THAT(refusal(cut(whole, file.name.starts_with("bmp-runs") ? 6 : 3)), Contains("truncated"));
    }
  }
}

// Law: libjpeg's own words reach nobody.
TEST_CASE("A JPEG whose frame never begins its scan is refused in our words", "[imaging]") {
  std::vector<std::byte> file = golden_file("jpeg-420");
  const std::array scan{std::byte{0xff}, std::byte{0xda}};
  file.erase(std::search(file.begin(), file.end(), scan.begin(), scan.end()), file.end() - 2);
  CHECK(refusal(file) == "JPEG data cannot be decoded");
}

// Law: the number of pixels is bounded before memory is taken.
TEST_CASE("A header that claims a huge image is refused before memory is taken", "[imaging]") {
  std::vector<std::byte> png = golden_file("png-rgb");
  set(png, 16, {0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff});
  CHECK_THAT(refusal(png), StartsWith("PNG header says 65535 x 65535 pixels; expected at most 268435456 in all"));
  std::vector<std::byte> bmp = flat_bmp(2, 2, 0);
  set(bmp, 18, {0xff, 0xff, 0xff, 0x7f});
  CHECK_THAT(refusal(bmp), StartsWith("BMP header says 2147483647 x 2 pixels"));
  set(bmp, 18, {0xff, 0xff, 0xff, 0xff});
  CHECK_THAT(refusal(bmp), StartsWith("BMP header says -1 x 2 pixels; expected at least 1 x 1"));
  set(bmp, 18, {0x00, 0x10, 0, 0});
  CHECK_THAT(refusal(bmp), StartsWith("BMP file is truncated: it has 70 bytes; expected"));
}

// Law: one flipped bit changes a CRC-32.
TEST_CASE("A damaged PNG chunk is refused by its checksum", "[imaging]") {
  std::vector<std::byte> png = golden_file("png-rgb");
  png[45] ^= std::byte{1};
  CHECK_THAT(refusal(png), Contains("wrong checksum"));
}
