#include <catch2/catch.hpp>
#include <random>

#include "dicom/fault.hpp"
#include "dicom/object.hpp"
#include "dicom/pixel_chain.hpp"
#include "dicom_support.hpp"
#include "jpeg_support.hpp"

using namespace shiftnorm;
using namespace shiftnorm::imaging;
using namespace shiftnorm::imaging::dicom;
using namespace shiftnorm::imaging::test;

namespace {

TinyObject native() { return {2, 2, {1, 2, 3, 4000}}; }

TinyObject packed() {
  TinyObject tiny(8, 16, {});
  tiny.number(0x00280100, 8).number(0x00280101, 8).number(0x00280102, 7).text(0x00280008, "IS", "2");
  const std::string jpeg = TinyJpeg{.blocks = {{70}, {80}}, .before_eoi = "xx"}.bytes();
  return tiny.packed(kBaseline, "", {jpeg.substr(0, 20), jpeg.substr(20), jpeg});
}

std::vector<std::byte> with(std::vector<std::byte> bytes, const std::string& behind) {
  for (const char c : behind) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

/// "none", or the reason of the fault.
std::string reason(std::vector<std::byte> bytes) {
  start_dcmtk();
  try {
    const Object object(std::move(bytes), Limits{});
    static_cast<void>(object.facts({}));
    static_cast<void>(object.frame(0));
  } catch (const Fault& fault) {
    return std::string(name_of(fault.reason()));
  }
  return "none";
}

std::vector<std::string> remarks(std::vector<std::byte> bytes) {
  start_dcmtk();
  return Object(std::move(bytes), Limits{}).facts({}).remarks;
}

/// A tag in little endian with a 32-bit length.
std::string bare(std::uint32_t tag, std::uint32_t length) {
  return little(tag >> 16, 2) + little(tag & 0xffffU, 2) + little(length, 4);
}

}  // namespace

// Oracle: pydicom 2.3.1 and dcmdump read these: the data set has ended with its pixel data.
TEST_CASE("What lies behind the data set does not matter", "[imaging]") {
  const std::string item_end = bare(0xfffee00d, 0), sequence_end = bare(0xfffee0dd, 0);
  for (const TinyObject& tiny : {native(), packed()}) {
    CHECK(reason(with(tiny.bytes(), std::string(512, '\0'))) == "none");
    CHECK(remarks(with(tiny.bytes(), std::string(512, '\0'))) == std::vector<std::string>{"zeros after the data set"});
    CHECK(remarks(with(tiny.bytes(), std::string(1, '\0'))).empty());
    const auto delimited = with(tiny.bytes(), sequence_end + item_end + sequence_end + std::string(6, '\0'));
    CHECK(reason(delimited) == "none");
    CHECK(remarks(delimited).size() == 2);
    // Trailing padding as the standard has it, and elements that nobody asks for.
    CHECK(reason(with(tiny.bytes(), element(0xfffcfffc, "OB", std::string(8, '\1')))) == "none");
    CHECK(reason(with(tiny.bytes(), "garbage that is no element")) == "parse");
    CHECK(reason(with(tiny.bytes(), std::string(512, '\0') + "x")) == "parse");
    CHECK(reason(with(tiny.bytes(), bare(0xfffee0dd, 4) + "four")) == "parse");
  }
  // Objects without pixel data end there too, and a delimiter amid the data set is a sequence that was read wrongly.
  CHECK(reason(with(native().without(kPixels).bytes(), std::string(512, '\0'))) == "missing-pixel-data");
  CHECK(reason(with(native().without(kPixels).bytes(), sequence_end)) == "parse");
  CHECK(reason(with(native().implicit_data_set(), std::string(100, '\0'))) == "none");
}

// Law: what nothing states is not guessed.
TEST_CASE("Compressed pixels of which nothing says how are not guessed", "[imaging]") {
  CHECK(reason(packed().data_set()) == "unsupported-transfer-syntax");
}

// The only item of group 7FE0 that fragments may follow is (7FE0,0010).
// Oracle: PS3.5 A.4: only (7FE0,0010) is encapsulated.
TEST_CASE("Other elements of group 7FE0 are elements like any", "[imaging]") {
  const std::string fragments = item("") + item("xx") + bare(0xfffee0dd, 0);
  for (const std::uint32_t number : {0x0000U, 0x0001U, 0x0002U, 0x0003U, 0x0007U, 0x000fU, 0x0020U, 0xffffU}) {
    INFO(number);
    const std::string head = little(0x7fe0, 2) + little(number, 2);
    for (const char* vr : {"OB", "OW", "OV", "SQ", "UN"}) {
      const std::string odd = head + vr + std::string(2, '\0') + little(0xffffffff, 4) + fragments;
      CHECK(reason(with(packed().bytes(), odd)) != "");
      CHECK(reason(with(packed().without(kPixels).bytes(), odd)) != "none");
    }
  }
  for (const std::uint32_t number : {0x0008U, 0x0009U}) {
    const std::string odd =
        little(0x7fe0, 2) + little(number, 2) + "OF" + std::string(2, '\0') + little(0xffffffff, 4) + fragments;
    CHECK(reason(with(packed().without(kPixels).bytes(), odd)) == "parse");
  }
  // In implicit VR too, and inside a sequence: the pixel data of an icon are none of ours.
  CHECK(reason(with(packed().without(kPixels).bytes(),
                    element(0x7fe10010, "SQ",
                            item(little(0x7fe0, 2) + little(0x10, 2) + "OB" + std::string(2, '\0') +
                                 little(0xffffffff, 4) + fragments)))) == "missing-pixel-data");
}

// Law: whatever the bytes are, reading ends with a value or with an error, and touches nothing that is not its own
// (AddressSanitizer watches in that build).
TEST_CASE("Objects with random damage end in a picture or an error", "[imaging]") {
  start_dcmtk();
  std::mt19937 random(16);
  const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  TinyObject rich = native();
  rich.raw(0x00283010, "SQ",
           item(element(0x00283002, "US", little(4, 2) + little(0, 2) + little(16, 2)) +
                element(0x00283006, "OW", little(0, 8))));
  rich.raw(0x52009229, "SQ", item(element(0x00289132, "SQ", item(element(0x00281050, "DS", "40")))));
  TinyObject extended = packed();
  extended.raw(0x7fe00001, "OV", little(0, 8) + little(200, 8)).raw(0x7fe00002, "OV", little(1, 8) + little(2, 8));
  TinyObject colour = packed();
  colour.number(0x00280002, 3).text(0x00280004, "CS", "YBR_FULL_422");
  colour.packed(kBaseline, "", {TinyJpeg{.blocks = {{1, 2, 3}, {4, 5, 6}}, .applications = jfif() + adobe(1)}.bytes()});
  TinyObject rle(8, 16, {});
  rle.packed("1.2.840.10008.1.2.5", little(0, 4),
             {little(2, 4) + little(64, 4) + little(66, 4) + std::string(52, '\0') + "\x81\x01\x81\x02"});
  const std::vector<std::vector<std::byte>> seeds{rich.bytes(),        extended.bytes(),
                                                  colour.bytes(),      rle.bytes(),
                                                  native().data_set(), native().implicit_data_set(),
                                                  packed().bytes(),    rich.without_preamble()};
  constexpr int kRounds = 4000;
  int good = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::byte> bytes = seeds[static_cast<std::size_t>(round) % seeds.size()];
    for (std::size_t change = 0, changes = 1 + below(4); change < changes; ++change) {
      const std::size_t at =
          bytes.size() > 140 && below(10) > 0 ? 132 + below(bytes.size() - 132) : below(bytes.size());
      switch (below(5)) {
        case 0: bytes[at] = static_cast<std::byte>(below(256)); break;
        case 1: bytes[at] = below(2) == 0 ? std::byte{0xff} : std::byte{0}; break;
        case 2: bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at)); break;
        case 3:
          bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), 1 + below(8), bytes[below(bytes.size())]);
          break;
        default: bytes.resize(std::max<std::size_t>(16, at)); break;
      }
    }
    try {
      const Object object(std::move(bytes), Limits{.decoded_bytes = std::uint64_t{1} << 20});
      static_cast<void>(object.facts({}));
      for (std::int64_t f = 0; f < std::min<std::int64_t>(3, object.module().frames); ++f) {
        const Frame frame{object.frame(f), object.rules(f), nullptr};
        static_cast<void>(audit(frame));
      }
      ++good;
    } catch (const std::exception&) {
      // Which one the other tests say.
    }
  }
  CHECK(good > 100);
  CHECK(good < kRounds - 100);
}
