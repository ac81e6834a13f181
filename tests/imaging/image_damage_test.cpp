// Damaged and hostile image files: run under the sanitizers too.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>

#include "decode_image.hpp"
#include "goldens.hpp"
#include "image_header.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "support.hpp"

using namespace shiftnorm;
using namespace shiftnorm::imaging;
using namespace shiftnorm::imaging::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

struct Outcome {
  int decoded = 0, refused = 0, other_pixels = 0;
};

/// Every byte changed in turn, within [begin, end).
Outcome with_each_byte_changed(const std::vector<std::byte>& whole, std::size_t begin, std::size_t end,
                               std::byte change) {
  const Image before = decode_image(whole);
  Outcome outcome;
  for (std::size_t at = begin; at < end; ++at) {
    std::vector<std::byte> file = whole;
    file[at] ^= change;
    INFO("byte " << at);
    try {
      const Image image = decode_image(file);
      CHECK(image.pixels.size() + image.reals.size() == image.values());
      ++outcome.decoded;
      outcome.other_pixels += image.pixels == before.pixels && image.reals == before.reals ? 0 : 1;
    } catch (const Error& e) {
      CHECK_FALSE(Catch::contains(e.what(), "\n"));
      CHECK(std::string_view(e.what()).size() > 10);
      ++outcome.refused;
    }
  }
  return outcome;
}

/// Where a TIFF's only directory begins.
std::size_t directory_of(const std::vector<std::byte>& tiff) {
  const bool big_endian = tiff[0] == std::byte{'M'};
  std::size_t at = 0;
  for (std::size_t i = 0; i < 4; ++i) at = at << 8 | std::to_integer<std::size_t>(tiff[big_endian ? 4 + i : 7 - i]);
  return at;
}

}  // namespace

// A law: no prefix of a file may give a picture (the last few bytes of some hold none of it), crash or hang.
TEST_CASE("Every prefix of every kind of image is refused in one line", "[imaging][damage]") {
  for (const goldens::File& golden : goldens::kFiles) {
    const std::vector<std::byte> whole = from_hex(golden.hex);
    const std::size_t step = whole.size() > 400 ? 3 : 1;
    for (std::size_t n = 0; n + 8 < whole.size(); n += step) {
      const std::string text = refusal({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)});
      INFO(golden.name << " of which " << n << " bytes are left: " << text);
      CHECK(text.size() > 10);
      CHECK(text.find('\n') == std::string::npos);
    }
  }
}

// A law: damage gives an image of some size, or one line.
TEST_CASE("Every kind of image with any byte changed is decoded or refused", "[imaging][damage]") {
  const auto change = GENERATE(std::byte{0x01}, std::byte{0x80}, std::byte{0xff});
  for (const goldens::File& golden : goldens::kFiles) {
    INFO(golden.name);
    const std::vector<std::byte> whole = from_hex(golden.hex);
    const Outcome outcome = with_each_byte_changed(whole, 0, whole.size(), change);
    CHECK(outcome.refused > 0);
  }
  for (const goldens::Reals& golden : goldens::kReals) {
    INFO(golden.name);
    const std::vector<std::byte> whole = from_hex(golden.hex);
    CHECK(with_each_byte_changed(whole, 0, whole.size(), change).refused > 0);
  }
}

// The formats' own checksums (CRC-32 of each PNG chunk, Adler-32 of each deflate stream) see every changed byte.
// Law: a CRC or Adler-32 sees every changed byte.
TEST_CASE("What a checksum covers cannot change a pixel", "[imaging][damage]") {
  const auto change = GENERATE(std::byte{0x01}, std::byte{0x10}, std::byte{0x55});
  for (const std::string_view name : {"png-rgb", "png-palette", "png-grey16", "png-bilevel", "png-rgba"}) {
    INFO(name);
    const std::vector<std::byte> whole = golden_file(name);
    const Outcome outcome = with_each_byte_changed(whole, 8, whole.size(), change);
    CHECK(outcome.other_pixels == 0);
    CHECK(outcome.refused > 50);
  }
  for (const std::string_view name : {"tiff-planes-strips-deflate", "tiff-palette2-deflate"}) {
    INFO(name);
    const std::vector<std::byte> whole = golden_file(name);
    const Outcome outcome = with_each_byte_changed(whole, 8, directory_of(whole), change);
    CHECK(outcome.other_pixels == 0);
    CHECK(outcome.refused > 20);
  }
}

// libjpeg warns of each and fills in what is not there; the picture would end in grey or repeat itself.
// Law: a missing part of a scan is missing pixels.
TEST_CASE("A JPEG that lost part of its scan is bad", "[imaging][damage]") {
  for (const std::string_view name : {"jpeg-420", "jpeg-grey", "jpeg-444-progressive"}) {
    INFO(name);
    std::vector<std::byte> file = golden_file(name);
    file.erase(file.end() - 14, file.end() - 2);
    CHECK(refusal(file) == "JPEG data cannot be decoded");
  }
}

// Oracle: libtiff's message for such a stream.
TEST_CASE("A TIFF whose stream breaks off says so in libtiff's words, on one line", "[imaging][damage]") {
  std::vector<std::byte> file = golden_file("tiff-palette2-deflate");
  for (std::size_t at = 12; at < 20; ++at) file[at] ^= std::byte{0x55};
  CHECK_THAT(refusal(file), StartsWith("TIFF data cannot be decoded ("));
}

// Law: sizes are compared with what is there before memory is taken.
TEST_CASE("Pictures that nobody could hold are refused before memory is taken", "[imaging][damage]") {
  CHECK_THAT(refusal(bytes_of("P5 99999 99999 255\n")), StartsWith("PPM header says 99999 x 99999 pixels"));
  CHECK_THAT(refusal(bytes_of("P5 9999 9999 255\n")), StartsWith("PPM file is truncated: its pixels end early"));
  CHECK_THAT(refusal(bytes_of("P1 9999 9999\n")), StartsWith("PPM file is truncated"));
  CHECK_THAT(refusal(bytes_of("P4 9999 9999\n")), StartsWith("PPM file is truncated"));
  CHECK_THAT(refusal(bytes_of("P3 9999 9999 9\n")), StartsWith("PPM file is truncated"));
  // Eleven columns and nine rows become many; the strip, its length and its compression stay.
  std::vector<std::byte> tiff = golden_file("tiff-cmyk-big");
  CHECK(refusal(tiff).empty());
  const std::size_t first =
      [&] {  // BigTIFF: where the directory is, behind its count; then the width's and height's values
        std::size_t at = 0;
        for (std::size_t i = 8; i-- > 0;) at = at << 8 | std::to_integer<std::size_t>(tiff[8 + i]);
        return at + 8;
      }();
  set(tiff, first + 12, {0, 0x40, 0, 0});
  set(tiff, first + 20 + 12, {0, 0x40, 0, 0});
  set(tiff, first + 7 * 20 + 12, {0, 0x40, 0, 0});  // RowsPerStrip
  CHECK_THAT(refusal(tiff), Contains("truncated: its") && Contains("bytes of pixel data cannot hold 1073741824"));
  set(tiff, first + 12, {0xff, 0xff, 0xff, 0x7f});
  CHECK_THAT(refusal(tiff), StartsWith("TIFF header says 2147483647 x 16384 pixels; expected at most"));
}

TEST_CASE("A BMP's runs may not leave pixels out", "[imaging][damage]") {
  // Three colours; 4 x 2 pixels in runs.
  const auto runs = [](std::initializer_list<int> stored) {
    std::vector<std::byte> file = bytes_of("BM");
    const auto number = [&](std::uint32_t v, int n) {
      for (int i = 0; i < n; ++i) file.push_back(static_cast<std::byte>(v >> (8 * i)));
    };
    for (const std::uint32_t v : {0U, 0U, 66U, 40U, 4U, 2U}) number(v, 4);
    number(1, 2);
    number(8, 2);
    for (const std::uint32_t v : {1U, 0U, 0U, 0U, 3U, 0U}) number(v, 4);
    for (const std::uint32_t v : {0x010203U, 0x102030U, 0xff8040U}) number(v, 4);
    for (const int v : stored) file.push_back(static_cast<std::byte>(v));
    return file;
  };
  // By hand: the lower row comes first; a run of four, then a literal of three (padded) and one more.
  const Image image = decode_image(runs({4, 1, 0, 0, 0, 3, 0, 1, 2, 0, 1, 0, 0, 1}));
  CHECK(image.pixels == std::vector<std::uint16_t>{1,  2,  3,  16, 32, 48, 255, 128, 64, 1,  2,  3,  //
                                                   16, 32, 48, 16, 32, 48, 16,  32,  48, 16, 32, 48});
  CHECK_THAT(refusal(runs({4, 1, 0, 0, 2, 1, 0, 0, 0, 1})), Contains("row 1 ends after 2 of 4 pixels"));
  CHECK_THAT(refusal(runs({4, 1, 0, 0, 0, 1})), Contains("runs end after 1 of 2 rows"));
  CHECK_THAT(refusal(runs({4, 1, 0, 0})), Contains("truncated: its runs end after 1 of 2 rows"));
  CHECK_THAT(refusal(runs({4, 1, 0, 2, 0, 1, 4, 1, 0, 1})), Contains("skips pixels"));
  CHECK_THAT(refusal(runs({4, 1, 0, 0, 0, 5, 0, 1, 2, 0, 1, 0})), Contains("row 1 has more than 4 pixels"));
  CHECK_THAT(refusal(runs({4, 7, 0, 0, 4, 1, 0, 1})), Contains("a pixel of colour 7; its palette has 3"));
}

TEST_CASE("PPM is read to the letter", "[imaging][damage]") {
  // By hand: a maximum of 9 spreads 0, 4 and 9 to 0, 113 (113.33) and 255; one of 300 makes 16 bits of 150: 32767.5,
  // rounded to the even neighbour.
  CHECK(decode_image(bytes_of("P2 3 1 9 # grey\n0 4\n9")).pixels == std::vector<std::uint16_t>{0, 113, 255});
  const Image wide = decode_image(bytes_of("P2 2 1 300 150 300"));
  CHECK(wide.bits == 16);
  CHECK(wide.pixels == std::vector<std::uint16_t>{32768, 65535});
  CHECK(decode_image(bytes_of("P1 3 1 101")).pixels == std::vector<std::uint16_t>{0, 255, 0});
  CHECK_THAT(refusal(bytes_of("P2 3 1 9 0 4 10")), Contains("above 9"));
  CHECK_THAT(refusal(bytes_of("P5 2 1 9\n\x01\x0a")), Contains("a value of 10; its largest is 9"));
  CHECK_THAT(refusal(bytes_of("P2 3 1 9 0 4# x\n 9")), Contains("something else where a number is expected"));
  CHECK_THAT(refusal(bytes_of("P2 3 1 0 0 0 0")), Contains("0 for the largest value"));
  CHECK_THAT(refusal(bytes_of("P1 3 1 102")), Contains("something else where 0 or 1 is expected"));
  CHECK_THAT(refusal(bytes_of("P2 3 1 70000 0 4 9")), Contains("above 65535"));
}

// Oracle: each format's signature.
TEST_CASE("Other files of pictures are refused by their names, prose is no image", "[imaging][damage]") {
  CHECK(refusal(bytes_of("GIF89a______________")) == "is a GIF; expected JPEG, PNG, TIFF, BMP, WebP or PPM");
  CHECK_THAT(refusal(bytes_of("8BPS________________")), StartsWith("is a Photoshop file"));
  CHECK_THAT(refusal(bytes_of("____ftypavif________")), StartsWith("is an AVIF file"));
  CHECK_THAT(refusal(bytes_of(std::string(128, '\0').append("DICM..."))), StartsWith("is a DICOM object"));
  for (const std::string_view prose : {"P5 is what the patient was called.", "P7 332", "PAM", "RIFFling through...."})
    CHECK_FALSE(codec_of(as_bytes(prose)).has_value());
}
