#include "decode_image.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>

#include "goldens.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "support.hpp"

using namespace shiftnorm;
using namespace shiftnorm::imaging;
using namespace shiftnorm::imaging::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

std::string refusal(std::vector<std::byte> file) {
  return error_of<Error>([&] { static_cast<void>(decode_image(std::move(file))); });
}

std::vector<std::byte> cut(std::vector<std::byte> file, std::size_t bytes) {
  file.resize(file.size() - bytes);
  return file;
}

void set(std::vector<std::byte>& file, std::size_t at, std::initializer_list<int> values) {
  for (const int v : values) file.at(at++) = static_cast<std::byte>(v);
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

TEST_CASE("A bitmap decodes to its own numbers", "[imaging]") {
  const Image image = decode_image(flat_bmp(3, 5, 77));
  CHECK(image.height == 3);
  CHECK(image.width == 5);
  CHECK(image.pixels == std::vector<std::uint16_t>(45, 77));
}

TEST_CASE("What is no image is refused by its content", "[imaging]") {
  const auto prose = as_bytes("Some notes about the patients.");
  CHECK_THAT(refusal({prose.begin(), prose.end()}), StartsWith("is no image"));
  CHECK_THAT(refusal({}), StartsWith("is empty"));
  const auto letters = as_bytes("BMW is a car maker, and this is no bitmap.");
  CHECK_THAT(refusal({letters.begin(), letters.end()}), StartsWith("is no image"));
}

TEST_CASE("A truncated file of any format is refused", "[imaging]") {
  for (const goldens::File& file : goldens::kFiles) {
    INFO(file.name);
    const std::vector<std::byte> whole = from_hex(file.hex);
    if (file.name.starts_with("tiff")) {
      // PIL writes TIFF's directory first and the pixels last.
      CHECK_FALSE(refusal(cut(whole, 3)).empty());
    } else {
      CHECK_THAT(refusal(cut(whole, 3)), Contains("truncated"));
    }
  }
}

// A law: no prefix of a file may crash, hang or read beyond its end (run under the sanitizers).
TEST_CASE("Every prefix of every file is refused in one line", "[imaging]") {
  for (const std::string_view name : {"jpeg-420", "png-palette", "bmp-palette", "tiff-rgb-lzw"}) {
    const std::vector<std::byte> whole = golden_file(name);
    for (std::size_t n = 0; n < whole.size(); n += 7) {
      const std::string text = refusal(cut(whole, whole.size() - n));
      INFO(name << " cut to " << n << ": " << text);
      CHECK_FALSE(text.empty());
      CHECK(text.find('\n') == std::string::npos);
    }
  }
}

TEST_CASE("A JPEG whose frame never begins its scan is refused in our words", "[imaging]") {
  std::vector<std::byte> file = golden_file("jpeg-420");
  const std::array scan{std::byte{0xff}, std::byte{0xda}};
  file.erase(std::ranges::search(file, scan).begin(), file.end() - 2);
  CHECK(refusal(file) == "JPEG data cannot be decoded");
}

// A law: damage leaves an image of the size that the header says, or one line (run under the sanitizers).
TEST_CASE("A JPEG with any byte changed is decoded or refused", "[imaging]") {
  const std::vector<std::byte> whole = golden_file("jpeg-420");
  const std::size_t values = decode_image(whole).pixels.size();
  int decoded = 0, refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::vector<std::byte> file = whole;
    file[at] ^= std::byte{0x11};
    INFO("byte " << at);
    try {
      const Image image = decode_image(std::move(file));
      CHECK(image.pixels.size() == image.values());
      decoded += image.values() == values ? 1 : 0;
    } catch (const Error& e) {
      CHECK_FALSE(Catch::contains(e.what(), "\n"));
      ++refused;
    }
  }
  CHECK(decoded > 0);
  CHECK(refused > 0);
}

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

TEST_CASE("A damaged PNG chunk is refused by its checksum", "[imaging]") {
  std::vector<std::byte> png = golden_file("png-rgb");
  png[45] ^= std::byte{1};
  CHECK_THAT(refusal(png), Contains("wrong checksum"));
}
