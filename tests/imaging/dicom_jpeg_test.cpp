#include <array>
#include <catch2/catch.hpp>

#include "dicom/fault.hpp"
#include "dicom/object.hpp"
#include "dicom/pixel_chain.hpp"
#include "dicom_support.hpp"
#include "jpeg_support.hpp"

using namespace shiftnorm;
using namespace shiftnorm::imaging;
using namespace shiftnorm::imaging::dicom;
using namespace shiftnorm::imaging::test;
using Catch::Matchers::Contains;

// Oracle: codestreams whose pixels are known from how they are written (jpeg_support.hpp). Which colours markers mean:
// libjpeg's default_decompress_parms (jdapimin.c), as Pillow 9.4 has it; the lossless cases and those without a marker:
// GDCM 3.0.21 and DCMTK 3.6.7 (dcmj2pnm), which follow the header.

namespace {

constexpr const char* kExtended = "1.2.840.10008.1.2.4.51";
constexpr const char* kLossless = "1.2.840.10008.1.2.4.70";

TinyObject colour(std::uint16_t rows, std::uint16_t columns, const std::string& photometric) {
  TinyObject tiny(rows, columns, {});
  tiny.number(0x00280002, 3).text(0x00280004, "CS", photometric).number(0x00280006, 0);
  tiny.number(0x00280100, 8).number(0x00280101, 8).number(0x00280102, 7);
  return tiny;
}

TinyObject grey(std::uint16_t rows, std::uint16_t columns, std::uint16_t bits) {
  TinyObject tiny(rows, columns, {});
  return tiny.number(0x00280100, bits > 8 ? 16 : 8).number(0x00280101, bits).number(0x00280102, bits - 1);
}

struct Shown {
  std::array<std::uint32_t, 3> first{};
  std::vector<std::string> remarks;
};

Shown shown(const TinyObject& tiny) {
  start_dcmtk();
  const Object object(tiny.bytes(), Limits{});
  const Colours colours = colours_of({object.frame(0), object.rules(0), nullptr});
  return {{colours.values[0], colours.values[1], colours.values[2]}, object.facts({}).remarks};
}

std::string reason(const TinyObject& tiny) {
  start_dcmtk();
  try {
    static_cast<void>(Object(tiny.bytes(), Limits{}).frame(0));
  } catch (const Fault& fault) {
    return std::string(name_of(fault.reason()));
  }
  return "none";
}

/// The first stored value of a frame of 8 or 16 bits.
int first_value(const TinyObject& tiny) {
  start_dcmtk();
  const StoredFrame frame = Object(tiny.bytes(), Limits{}).frame(0);
  const int low = std::to_integer<int>(frame.values[0]);
  return frame.module.value_bytes() == 1 ? low : low | std::to_integer<int>(frame.values[1]) << 8;
}

// R = 100 + 1.402 * 72 = 200.9, G = 100 - 0.344136 * -38 - 0.714136 * 72 = 61.7, B = 100 + 1.772 * -38 = 32.7.
const std::vector<int> kSamples{100, 90, 200};
const std::array<std::uint32_t, 3> kAsRgb{100, 90, 200}, kAsYcc{201, 62, 33};

}  // namespace

// Oracle: ITU-T T.871 and Adobe's technical note 5116: what each marker says.
TEST_CASE("JPEG colours are what the codestream's markers say, then the header's", "[imaging]") {
  struct Case {
    std::string photometric, markers;
    std::array<int, 3> ids;
    bool ybr;          ///< how the samples are to be taken
    std::string says;  ///< part of the remark; empty: header and codestream agree
  };
  const std::array<int, 3> plain{1, 2, 3}, letters{'R', 'G', 'B'};
  const std::vector<Case> cases{
      {"RGB", "", plain, false, ""},
      {"YBR_FULL", "", plain, true, ""},
      {"YBR_FULL_422", "", plain, true, ""},
      {"RGB", jfif(), plain, true, "YCbCr by the JFIF marker where the header says RGB"},
      {"YBR_FULL_422", jfif(), plain, true, ""},
      {"YBR_FULL", adobe(0), plain, false, "RGB by Adobe's marker where the header says YBR_FULL"},
      {"YBR_FULL_422", adobe(0), plain, false, "RGB by Adobe's marker where the header says YBR_FULL_422"},
      {"RGB", adobe(0), plain, false, ""},
      {"RGB", adobe(1), plain, true, "YCbCr by Adobe's marker"},
      {"YBR_FULL", adobe(1), plain, true, ""},
      {"RGB", adobe(2), plain, true, "YCbCr by Adobe's marker"},
      {"RGB", jfif() + adobe(0), plain, true, "YCbCr by the JFIF marker"},
      {"YBR_FULL", "", letters, false, "RGB by the component ids"},
      {"RGB", "", letters, false, ""},
      {"YBR_FULL", adobe(1), letters, true, ""},
  };
  for (const Case& one : cases) {
    INFO(one.photometric << " " << one.says);
    const TinyJpeg jpeg{.blocks = {kSamples, kSamples}, .applications = one.markers, .ids = one.ids};
    const Shown found = shown(colour(8, 16, one.photometric).packed(kBaseline, "", {jpeg.bytes()}));
    CHECK(found.first == (one.ybr ? kAsYcc : kAsRgb));
    REQUIRE(found.remarks.size() == (one.says.empty() ? 0U : 1U));
    if (!one.says.empty()) CHECK_THAT(found.remarks[0], Contains(one.says) && Contains("the data are believed"));
  }
}

// Oracle: the samples that were packed, taken as the header says.
TEST_CASE("Lossless JPEG keeps the header's colours, and says where its markers contradict them", "[imaging]") {
  const auto with = [](const std::string& photometric, const std::string& markers) {
    const TinyLosslessJpeg jpeg{.pixels = {kSamples, kSamples, {1, 2, 3}, kSamples}, .applications = markers};
    return shown(colour(1, 4, photometric).packed(kLossless, "", {jpeg.bytes()}));
  };
  CHECK(with("RGB", "").first == kAsRgb);
  CHECK(with("YBR_FULL", "").first == kAsYcc);
  CHECK(with("YBR_FULL", "").remarks.empty());
  CHECK(with("RGB", jfif()).first == kAsRgb);
  CHECK_THAT(with("RGB", jfif()).remarks.at(0), Contains("where the header says RGB; the header is believed"));
  CHECK(with("YBR_FULL", adobe(0)).first == kAsYcc);
  CHECK_THAT(with("YBR_FULL", adobe(0)).remarks.at(0), Contains("the header is believed"));
}

// Oracle: the markers of each frame.
TEST_CASE("Colours are settled frame by frame", "[imaging]") {
  start_dcmtk();
  const TinyJpeg plain{.blocks = {kSamples}}, marked{.blocks = {kSamples}, .applications = jfif()};
  TinyObject tiny = colour(8, 8, "RGB").text(0x00280008, "IS", "2");
  const Object object(tiny.packed(kBaseline, "", {plain.bytes(), marked.bytes()}).bytes(), Limits{});
  CHECK(object.frame(0).module.photometric == Photometric::rgb);
  CHECK(object.frame(1).module.photometric == Photometric::ybr_full);
  CHECK(object.facts({}).remarks.size() == 1);
}

// Oracle: libjpeg's jerror.h: which warnings mean that data were lost. GDCM and DCMTK give these values too.
TEST_CASE("Only warnings of lost data make a JPEG bad", "[imaging]") {
  SECTION("a scan header of 12 bits that says Se = 0") {
    const TinyJpeg jpeg{.blocks = {{3000}, {20}}, .precision = 12, .se = 0};
    CHECK(first_value(grey(8, 16, 12).packed(kExtended, "", {jpeg.bytes()})) == 3000);
  }
  SECTION("zeros, some bytes of any value, or many of one before the end marker") {
    for (const std::string& more :
         {std::string(6, '\0'), std::string("scanner"), std::string(5000, '\0'), std::string(5000, '\x55')}) {
      const TinyJpeg jpeg{.blocks = {{77}, {20}}, .before_eoi = more};
      CHECK(first_value(grey(8, 16, 8).packed(kBaseline, "", {jpeg.bytes()})) == 77);
    }
  }
  SECTION("more bytes than that were pixels") {
    std::string more;
    for (int i = 0; i < 300; ++i) more += static_cast<char>(i % 251);
    const TinyJpeg jpeg{.blocks = {{77}, {20}}, .before_eoi = more};
    CHECK(reason(grey(8, 16, 8).packed(kBaseline, "", {jpeg.bytes()})) == "corrupt-codestream");
  }
  SECTION("a premature end") {
    // The header says four blocks, and there are data of two.
    std::string bytes = TinyJpeg{.blocks = {{77}, {20}}}.bytes();
    const std::size_t frame = bytes.find("\xff\xc0");
    bytes[frame + 8] = 32;
    CHECK(reason(grey(8, 32, 8).packed(kBaseline, "", {bytes})) == "corrupt-codestream");
    bytes = TinyJpeg{.blocks = {{77}, {20}}}.bytes();
    bytes.resize(bytes.size() - 2);
    CHECK(reason(grey(8, 16, 8).packed(kBaseline, "", {bytes})) == "corrupt-codestream");
  }
}
