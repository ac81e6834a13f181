#include <catch2/catch.hpp>
#include <cmath>

#include "dicom/fault.hpp"
#include "dicom/object.hpp"
#include "dicom/pixel_chain.hpp"
#include "dicom_support.hpp"
#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::imaging;
using namespace shiftnorm::imaging::dicom;
using shiftnorm::imaging::test::element;
using shiftnorm::imaging::test::item;
using shiftnorm::imaging::test::little;
using shiftnorm::imaging::test::TinyObject;

// Oracle: the formulas of PS3.3 C.11.2.1.2 and C.11.2.1.3, worked by hand. Pictures are float32: 1e-6.

namespace {

constexpr std::uint32_t kCentre = 0x00281050, kWidth = 0x00281051, kFunction = 0x00281056, kIntercept = 0x00281052,
                        kSlope = 0x00281053, kPhotometric = 0x00280004, kModality = 0x00080060, kPadding = 0x00280120,
                        kPaddingLimit = 0x00280121, kAspect = 0x00280034, kBitsStored = 0x00280101;

Frame frame_of(const TinyObject& tiny) {
  start_dcmtk();
  const Object object(tiny.bytes(), Limits{});
  return {object.frame(0), object.rules(0), nullptr};
}

std::vector<float> values_shown(const TinyObject& tiny, const Voi& voi = {.rule = VoiRule::file}) {
  return show(frame_of(tiny), voi).reals;
}

void check_near(const std::vector<float>& found, const std::vector<double>& wanted) {
  REQUIRE(found.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) CHECK(found[i] == Approx(wanted[i]).margin(1e-6));
}

TinyObject grey(const std::vector<std::uint16_t>& values) {
  return {1, static_cast<std::int64_t>(values.size()), values};
}

}  // namespace

// Oracle: PS3.3 C.11.2.1.2 and C.11.2.1.3, worked by hand.
TEST_CASE("Each window function is its formula", "[imaging]") {
  const auto at = [](VoiFunction f, double c, double w, double m) { return apply_window({c, w, f}, m); };
  // (m - (c - 0.5)) / (w - 1) + 0.5 with c = 40, w = 81: 80 steps from -0.5 on.
  CHECK(at(VoiFunction::linear, 40, 81, -0.5) == 0.0);
  CHECK(at(VoiFunction::linear, 40, 81, 39.5) == 0.5);
  CHECK(at(VoiFunction::linear, 40, 81, 59.5) == 0.75);
  CHECK(at(VoiFunction::linear, 40, 81, 500) == 1.0);
  CHECK(at(VoiFunction::linear, 40, 81, -500) == 0.0);
  // Width 1 is a threshold.
  CHECK(at(VoiFunction::linear, 40, 1, 39.5) == 0.0);
  CHECK(at(VoiFunction::linear, 40, 1, 39.6) == 1.0);
  CHECK(at(VoiFunction::linear_exact, 40, 80, 0) == 0.0);
  CHECK(at(VoiFunction::linear_exact, 40, 80, 60) == 0.75);
  CHECK(at(VoiFunction::linear_exact, 0.5, 0.25, 0.5625) == 0.75);
  CHECK(at(VoiFunction::sigmoid, 40, 80, 40) == 0.5);
  CHECK(at(VoiFunction::sigmoid, 40, 80, 60) == Approx(1.0 / (1.0 + std::exp(-1.0))));
}

// Oracle: PS3.3 C.11.2.1.1, by hand.
TEST_CASE("A VOI table is read by rounded value and clamped at both ends", "[imaging]") {
  const LookupTable table{-2, 8, {0, 51, 102, 255}};
  CHECK(apply_table(table, -100) == 0.0);
  CHECK(apply_table(table, -1.4) == 0.2);
  CHECK(apply_table(table, 0.4) == 0.4);
  CHECK(apply_table(table, 1e300) == 1.0);
}

// Oracle: PS3.3 C.11.1 and C.11.2, worked by hand.
TEST_CASE("The file's window is applied to rescaled values, MONOCHROME1 once", "[imaging]") {
  TinyObject tiny = grey({0, 100, 200, 300});
  tiny.text(kSlope, "DS", "0.5").text(kIntercept, "DS", "-10").text(kCentre, "DS", "40").text(kWidth, "DS", "80");
  tiny.text(kFunction, "CS", "LINEAR_EXACT");
  // Modality values -10, 40, 90, 140.
  check_near(values_shown(tiny), {0.0, 0.5, 1.0, 1.0});
  check_near(values_shown(tiny, {.rule = VoiRule::none}), {-10, 40, 90, 140});
  tiny.text(kPhotometric, "CS", "MONOCHROME1");
  check_near(values_shown(tiny), {1.0, 0.5, 0.0, 0.0});
  check_near(values_shown(tiny, {.rule = VoiRule::none}), {-10, 40, 90, 140});
  // Angiography: the rescale is not for display.
  tiny.text(kModality, "CS", "XA").text(kPhotometric, "CS", "MONOCHROME2");
  check_near(values_shown(tiny), {0.0, 1.0, 1.0, 1.0});
}

// Oracle: worked by hand; numpy.percentile for the rule without a window.
TEST_CASE("Windows come in pairs; an unusable one leads to the rule without a window", "[imaging]") {
  TinyObject tiny = grey({0, 1000, 2000, 4000});
  tiny.text(kCentre, "DS", "500\\1000").text(kWidth, "DS", "1000\\2000").text(kFunction, "CS", "LINEAR_EXACT");
  check_near(values_shown(tiny), {0.0, 1.0, 1.0, 1.0});
  check_near(values_shown(tiny, {.rule = VoiRule::file, .index = 1}), {0.0, 0.5, 1.0, 1.0});
  tiny.text(kCentre, "DS", "500").text(kWidth, "DS", "0");
  CHECK(frame_of(tiny).rules.remarks == std::vector<std::string>{"a window that cannot be used"});
  // Percentiles 0.5 and 99.5 of four values, as numpy: 0.015 and 2.985 of the way: 15 and 3970.
  check_near(values_shown(tiny), {0.0, (1000 - 15.0) / 3955, (2000 - 15.0) / 3955, 1.0});
}

// Oracle: PS3.5 6.2: the same number in another value representation is the same number.
TEST_CASE("Numbers are read in whatever value representation they stand", "[imaging]") {
  constexpr std::uint32_t kRows = 0x00280010, kColumns = 0x00280011, kAllocated = 0x00280100, kFrames = 0x00280008;
  const std::vector<float> wanted = values_shown(grey({0, 1000, 2000, 4095}), {.rule = VoiRule::bits});
  TinyObject tiny = grey({0, 1000, 2000, 4095});
  const auto [vr, one, four, bits] = GENERATE(table<std::string, std::string, std::string, std::string>({
      {"UL", little(1, 4), little(4, 4), little(16, 4)},
      {"SL", little(1, 4), little(4, 4), little(16, 4)},
      {"SS", little(1, 2), little(4, 2), little(16, 2)},
      {"UN", little(1, 2), little(4, 2), little(16, 2)},
      {"IS", "1 ", "4 ", "16"},
      {"DS", "1.0 ", "4 ", "+16 "},
      {"LO", "1 ", "4 ", "16"},
      {"UV", little(1, 8), little(4, 8), little(16, 8)},
  }));
  INFO(vr);
  tiny.raw(kRows, vr, one).raw(kColumns, vr, four).raw(kAllocated, vr, bits);
  // Of an unknown kind it would be read as the text that it should be.
  if (vr != "UN") tiny.raw(kFrames, vr, one);
  CHECK(values_shown(tiny, {.rule = VoiRule::bits}) == wanted);
  // A number that is none, negative or no whole one.
  const auto refused = [&](const std::string& other, const std::string& value) {
    tiny.raw(kRows, other, value);
    CHECK_THROWS_AS(values_shown(tiny), Fault);
  };
  refused("SS", little(0xffff, 2));
  refused("DS", "1.5 ");
  refused("LO", "one ");
  refused("FD", little(0x7ff8000000000000, 8));
}

// Oracle: the same numbers as decimal strings, by hand.
TEST_CASE("Windows, rescale and padding too", "[imaging]") {
  TinyObject tiny = grey({0, 100, 200, 300});
  // 0.5, -10, 40 and 80 as IEEE doubles.
  tiny.raw(kSlope, "FD", little(0x3fe0000000000000, 8)).raw(kIntercept, "FD", little(0xc024000000000000, 8));
  tiny.raw(kCentre, "FD", little(0x4044000000000000, 8)).raw(kWidth, "FD", little(0x4054000000000000, 8));
  tiny.text(kFunction, "CS", "LINEAR_EXACT").raw(kPadding, "UL", little(300, 4));
  check_near(values_shown(tiny), {0.0, 0.5, 1.0, 0.0});
}

// Oracle: PS3.3 C.11.1: a sequence without a table maps nothing; what is given elsewhere holds.
TEST_CASE("Sequences with empty items say nothing", "[imaging]") {
  constexpr std::uint32_t kModalityLut = 0x00283000, kVoiLut = 0x00283010, kShared = 0x52009229, kFrameVoi = 0x00289132;
  const std::string no_values = element(0x00283002, "US", "") + element(0x00283006, "US", "");
  TinyObject tiny = grey({0, 100, 200, 300});
  tiny.text(kSlope, "DS", "0.5").text(kIntercept, "DS", "-10").text(kCentre, "DS", "40").text(kWidth, "DS", "80");
  tiny.text(kFunction, "CS", "LINEAR_EXACT");
  const std::string inside = GENERATE_COPY(std::string(), item(""), item(no_values));
  tiny.raw(kModalityLut, "SQ", inside).raw(kVoiLut, "SQ", inside);
  check_near(values_shown(tiny), {0.0, 0.5, 1.0, 1.0});
  tiny.raw(kShared, "SQ", item(element(kFrameVoi, "SQ", inside)));
  check_near(values_shown(tiny), {0.0, 0.5, 1.0, 1.0});
  if (!inside.empty())
    CHECK(frame_of(tiny).rules.remarks ==
          std::vector<std::string>{"a Modality LUT sequence without a table: not applied"});
  // A table that is there and cannot be read is a fault.
  tiny.raw(kModalityLut, "SQ", item(element(0x00283002, "US", little(4, 2))));
  CHECK_THROWS_AS(values_shown(tiny), Fault);
}

// Oracle: worked by hand: 100, 200 and 300 are 0, 1/2 and 1.
TEST_CASE("Padding is black and takes no part in any scale", "[imaging]") {
  TinyObject tiny = grey({5, 6, 7, 100, 200, 300});
  tiny.number(kPadding, 7).number(kPaddingLimit, 5);  // either order
  check_near(values_shown(tiny, {.rule = VoiRule::minmax}), {0, 0, 0, 0.0, 0.5, 1.0});
  tiny.text(kPhotometric, "CS", "MONOCHROME1");
  check_near(values_shown(tiny, {.rule = VoiRule::minmax}), {0, 0, 0, 1.0, 0.5, 0.0});
  check_near(values_shown(grey({77, 77, 77}), {.rule = VoiRule::minmax}), {0, 0, 0});
}

// Oracle: the formulas by hand: 819 of 4095 is 1/5.
TEST_CASE("Bits, several windows, 8 bits and equalisation", "[imaging]") {
  check_near(values_shown(grey({0, 819, 4095}), {.rule = VoiRule::bits}), {0.0, 0.2, 1.0});
  const Image three = show(frame_of(grey({0, 100})), {.rule = VoiRule::window,
                                                      .windows = {{50, 100, VoiFunction::linear_exact},
                                                                  {100, 100, VoiFunction::linear_exact},
                                                                  {0, 400, VoiFunction::linear_exact}}});
  CHECK(three.channels == 3);
  check_near(three.reals, {0.0, 0.0, 0.5, 1.0, 0.5, 0.75});
  const Image eight = show(frame_of(grey({0, 819, 4095})), {.rule = VoiRule::bits, .quantize8 = true});
  CHECK(eight.bits == 8);
  CHECK(eight.pixels == std::vector<std::uint16_t>{0, 51, 255});
  // cv2.equalizeHist: the darkest value is 0; 51 has 1 of the 3 others below or at it: 255 / 3.
  const Image equal = show(frame_of(grey({0, 819, 4095, 4095})), {.rule = VoiRule::bits, .equalize = true});
  CHECK(equal.pixels == std::vector<std::uint16_t>{0, 85, 255, 255});
  CHECK_THROWS_AS(show(frame_of(grey({1})), {.rule = VoiRule::none, .quantize8 = true}), ConfigError);
}

// Oracle: NumPy.
TEST_CASE("Percentiles are numpy's", "[imaging]") {
  // numpy.percentile([1, 2, 2, 10], [0, 25, 50, 90, 100]) = 1, 1.75, 2, 7.6, 10.
  const ValueCounts counts{{1, 1}, {2, 2}, {10, 1}};
  CHECK(percentile(counts, 0) == 1);
  CHECK(percentile(counts, 25) == 1.75);
  CHECK(percentile(counts, 50) == 2);
  CHECK(percentile(counts, 90) == Approx(7.6));
  CHECK(percentile(counts, 100) == 10);
  CHECK(percentile({}, 50) == 0);
}

// Oracle: the table of the guide.
TEST_CASE("The modality decides where nothing was said", "[imaging]") {
  CHECK(resolve_voi({}, "MR").voi.rule == VoiRule::percentile);
  CHECK(resolve_voi({}, "DX").voi.rule == VoiRule::file);
  CHECK(resolve_voi({}, "US").voi.rule == VoiRule::bits);
  CHECK(resolve_voi({}, "CT").voi.windows == std::vector<VoiWindow>{{40, 400, VoiFunction::linear}});
  CHECK_FALSE(resolve_voi({}, "CT").named);
  CHECK(resolve_voi({.rule = VoiRule::minmax}, "CT").named);
}

// Oracle: PS3.3 C.7.6.3.1.7: the vertical spacing first.
TEST_CASE("Pixels that are not square are made so unless told otherwise", "[imaging]") {
  TinyObject tiny(2, 2, {0, 4095, 0, 4095});
  tiny.text(kAspect, "IS", "2\\1");
  const Frame frame = frame_of(tiny);
  CHECK(frame.rules.aspect == 2.0);
  const Image image = show(frame, {.rule = VoiRule::bits});
  CHECK(image.height == 4);
  CHECK(image.width == 2);
  CHECK(show(frame, {.rule = VoiRule::bits, .ignore_aspect = true}).height == 2);
}

// Law: each contradiction has a reason of its own.
TEST_CASE("A header that contradicts itself names its fault", "[imaging]") {
  const auto reason = [](const TinyObject& tiny) {
    try {
      static_cast<void>(frame_of(tiny));
    } catch (const Fault& fault) {
      return fault.reason();
    }
    return Reason::parse;
  };
  CHECK(reason(grey({1, 2}).text(kSlope, "DS", "nan")) == Reason::bad_rescale);
  CHECK(reason(grey({1, 2}).text(kSlope, "DS", "0")) == Reason::bad_rescale);
  CHECK(reason(grey({1, 2}).number(kBitsStored, 17)) == Reason::bad_pixel_module);
  CHECK(reason(grey({1, 2}).text(kPhotometric, "CS", "YBR_PARTIAL_420")) == Reason::bad_pixel_module);
  // Colours have no sign: -1 would become the brightest of all.
  const auto colour = [](std::uint16_t representation) {
    return TinyObject(1, 2, {1, 2, 3})
        .number(0x00280002, 3)
        .text(0x00280004, "CS", "RGB")
        .number(0x00280006, 0)
        .number(0x00280100, 8)
        .number(0x00280101, 8)
        .number(0x00280102, 7)
        .number(0x00280103, representation);
  };
  CHECK(reason(colour(1)) == Reason::bad_pixel_module);
  CHECK(reason(colour(0)) == Reason::parse);
  CHECK(reason(grey({1, 2}).number(0x00280010, 600)) == Reason::pixel_length_mismatch);
  CHECK(reason(grey({1, 2}).number(0x00280010, 40000)) == Reason::limit);
  CHECK(reason(grey({1, 2}).without(0x7fe00010)) == Reason::missing_pixel_data);
}
