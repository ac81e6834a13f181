#include <catch2/catch.hpp>

#include "dicom/fault.hpp"
#include "dicom/object.hpp"
#include "dicom_support.hpp"
#include "jpeg_support.hpp"

using namespace shiftnorm;
using namespace shiftnorm::imaging;
using namespace shiftnorm::imaging::dicom;
using namespace shiftnorm::imaging::test;
using Catch::Matchers::Contains;

// Oracle: PS3.5 A.4 and tables A.4-1 and A.4-2, and the grey level that each frame was given.

namespace {

constexpr const char* kRle = "1.2.840.10008.1.2.5";
constexpr const char* kWrongTable = "the table of frame offsets is wrong; frames begin where images do";

/// An image of this grey level in `parts` fragments of even length; they differ in length by the level.
std::vector<std::string> image(int level, std::size_t parts = 1) {
  std::string all = TinyJpeg{.blocks = {{level}, {level}}, .before_eoi = std::string(level % 7, '\0')}.bytes();
  if (all.size() % 2 != 0) all += '\0';
  std::vector<std::string> out;
  const std::size_t each = all.size() / parts / 2 * 2;
  for (std::size_t p = 0; p + 1 < parts; ++p) out.push_back(all.substr(p * each, each));
  out.push_back(all.substr((parts - 1) * each));
  return out;
}

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::size_t bytes_in(const std::vector<std::string>& fragments) {
  std::size_t n = 0;
  for (const std::string& fragment : fragments) n += 8 + fragment.size();
  return n;
}

std::string table(const std::vector<std::size_t>& offsets, int size = 4) {
  std::string out;
  for (const std::size_t offset : offsets) out += little(offset, size);
  return out;
}

TinyObject frames(int count) {
  TinyObject tiny(8, 16, {});
  tiny.number(0x00280100, 8).number(0x00280101, 8).number(0x00280102, 7);
  return count == 0 ? tiny : tiny.text(0x00280008, "IS", std::to_string(count));
}

struct Read {
  std::vector<int> levels;  ///< the first value of each frame
  std::vector<std::string> remarks;
};

Read read(const TinyObject& tiny) {
  start_dcmtk();
  const Object object(tiny.bytes(), Limits{});
  Read out;
  for (std::int64_t f = 0; f < object.module().frames; ++f)
    out.levels.push_back(std::to_integer<int>(object.frame(f).values.at(0)));
  out.remarks = object.facts({}).remarks;
  return out;
}

void check(const TinyObject& tiny, const std::vector<int>& levels, const std::vector<std::string>& remarks = {}) {
  const Read found = read(tiny);
  CHECK(found.levels == levels);
  CHECK(found.remarks == remarks);
}

}  // namespace

// Oracle: the levels that were packed, frame by frame.
TEST_CASE("Frames of several fragments begin where images do, or where a table says", "[imaging]") {
  const auto two = image(10, 3) + image(20, 2);
  const std::size_t second = bytes_in(image(10, 3));
  check(frames(2).packed(kBaseline, "", two), {10, 20});
  check(frames(2).packed(kBaseline, table({0, second}), two), {10, 20});
  SECTION("however small the fragments are") {
    std::string first = image(10)[0], more = image(20)[0];
    while (first.back() == '\0') first.pop_back();
    if (first.size() % 2 != 0) first.insert(2, std::string("\xff\xfe\0\x03x", 5));  // a comment
    const std::vector<std::string> pieces{first.substr(0, 2), first.substr(2, first.size() - 4),
                                          first.substr(first.size() - 2), more.substr(0, 2), more.substr(2)};
    check(frames(2).packed(kBaseline, "", pieces), {10, 20});
    check(frames(1).packed(kBaseline, "", pieces), {10},
          {"2 images in the pixel data where NumberOfFrames is 1; the first are taken"});
  }
  SECTION("a table that is wrong is noticed") {
    check(frames(2).packed(kBaseline, table({0, second + 2}), two), {10, 20}, {kWrongTable});
    check(frames(2).packed(kBaseline, table({0, bytes_in(image(10, 3)) - 8}), two), {10, 20}, {kWrongTable});
    check(frames(2).packed(kBaseline, table({0, 8 + image(10, 3)[0].size()}), two), {10, 20}, {kWrongTable});
    check(frames(2).packed(kBaseline, table({second, 0}), two), {10, 20}, {kWrongTable});
    check(frames(2).packed(kBaseline, table({0}), two), {10, 20}, {kWrongTable});
    check(frames(2).packed(kBaseline, table({0, 0xfffffff0}), two), {10, 20}, {kWrongTable});
  }
  SECTION("one fragment each, too") {
    const auto each = image(30) + image(40);
    check(frames(2).packed(kBaseline, table({0, bytes_in(image(30))}), each), {30, 40});
    check(frames(2).packed(kBaseline, table({0, 2}), each), {30, 40}, {kWrongTable});
  }
}

// Oracle: the levels that were packed, frame by frame.
TEST_CASE("Empty fragments belong to the frame before them", "[imaging]") {
  const std::vector<std::string> nothing{""};
  check(frames(3).packed(kBaseline, "", image(1) + image(2) + image(3) + nothing), {1, 2, 3});
  check(frames(3).packed(kBaseline, "", nothing + image(1) + nothing + image(2, 2) + image(3) + nothing), {1, 2, 3});
  check(frames(0).packed(kBaseline, "", image(1) + nothing), {1});
  const std::size_t second = bytes_in(image(1) + nothing);
  check(frames(2).packed(kBaseline, table({0, second}), image(1) + nothing + image(2) + nothing), {1, 2});
  // A table may lead to the empty fragment too.
  check(frames(2).packed(kBaseline, table({0, bytes_in(image(1))}), image(1) + nothing + image(2)), {1, 2});
  CHECK_THROWS_AS(read(frames(1).packed(kBaseline, "", nothing)), Fault);
}

// Oracle: the levels that were packed, and PS3.3 C.7.6.3.1.8 for the table.
TEST_CASE("The extended offset table goes before", "[imaging]") {
  constexpr std::uint32_t kOffsets = 0x7fe00001, kLengths = 0x7fe00002;
  const auto two = image(10, 3) + image(20, 2);
  const std::size_t second = bytes_in(image(10, 3));
  const auto length = [](const std::vector<std::string>& parts) { return bytes_in(parts) - 8 * parts.size(); };
  const std::vector<std::size_t> lengths{length(image(10, 3)), length(image(20, 2)) - 1};  // one is padding
  TinyObject tiny = frames(2).packed(kBaseline, "", two);
  check(tiny.raw(kOffsets, "OV", table({0, second}, 8)).raw(kLengths, "OV", table(lengths, 8)), {10, 20});
  check(tiny.without(kLengths), {10, 20});
  check(tiny.raw(kOffsets, "OV", table({0, second + 2}, 8)), {10, 20}, {kWrongTable});
  check(tiny.raw(kOffsets, "OV", table({0}, 8)), {10, 20}, {kWrongTable});
  tiny.raw(kOffsets, "OV", table({0, second}, 8)).raw(kLengths, "OV", table({lengths[0] - 2, lengths[1]}, 8));
  check(tiny, {10, 20}, {kWrongTable});
}

// Oracle: the number in the header against the images that were packed.
TEST_CASE("NumberOfFrames holds", "[imaging]") {
  const auto three = image(1, 2) + image(2, 2) + image(3);
  check(frames(2).packed(kBaseline, "", three), {1, 2},
        {"3 images in the pixel data where NumberOfFrames is 2; the first are taken"});
  check(frames(0).packed(kBaseline, "", three), {1},
        {"3 images in the pixel data where NumberOfFrames is 1; the first are taken"});
  check(frames(2).packed(kBaseline, table({0, bytes_in(image(1, 2))}), three), {1, 2},
        {"3 images in the pixel data where NumberOfFrames is 2; the first are taken"});
  try {
    read(frames(4).packed(kBaseline, "", three));
    FAIL("there are three images");
  } catch (const Fault& fault) {
    CHECK(fault.reason() == Reason::pixel_length_mismatch);
    CHECK_THAT(fault.what(), Contains("3 images in 5 fragments; expected 4 frames"));
  }
  // A picture inside a picture begins as one, and nothing has ended before it.
  std::string with_thumbnail =
      TinyJpeg{.blocks = {{9}, {9}}, .applications = std::string("\xff\xe5\0\x06\xff\xd8\xff\xd9", 8)}.bytes();
  if (with_thumbnail.size() % 2 != 0) with_thumbnail += '\0';
  const std::vector<std::string> split{with_thumbnail.substr(0, 6), with_thumbnail.substr(6)};
  check(frames(2).packed(kBaseline, "", split + image(5)), {9, 5});
}

// Law: the other frames are what they were.
TEST_CASE("One damaged frame costs itself alone", "[imaging]") {
  start_dcmtk();
  auto parts = image(1) + image(2) + image(3);
  parts[1][0] = 0;
  const Object object(frames(3).packed(kBaseline, "", parts).bytes(), Limits{});
  CHECK(std::to_integer<int>(object.frame(0).values[0]) == 1);
  CHECK_THROWS_AS(object.frame(1), Fault);
  CHECK(std::to_integer<int>(object.frame(2).values[0]) == 3);
}

// Oracle: PS3.5 annex G, laid out by hand.
TEST_CASE("RLE frames begin with a header", "[imaging]") {
  // One segment behind 64 bytes of header: runs of 128 equal bytes (PS3.5 G.3).
  const auto rle = [](int level) {
    return little(1, 4) + little(64, 4) + std::string(56, '\0') + "\x81" + static_cast<char>(level);
  };
  check(frames(2).packed(kRle, "", {rle(4), rle(5)}), {4, 5});
  const std::string first = rle(4);
  check(frames(2).packed(kRle, "", {first.substr(0, 64), first.substr(64), rle(5), ""}), {4, 5});
  check(frames(1).packed(kRle, "", {first.substr(0, 64), first.substr(64)}), {4});
}
