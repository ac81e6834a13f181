#include "shiftnorm/core/half.hpp"

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

using namespace shiftnorm;

namespace {

float from_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }

}  // namespace

// Oracle: the value by its definition in IEEE 754-2008, (-1)^s 2^(e-15) (1 + f/1024), with ldexp in double.
TEST_CASE("Every half has the value of its definition and comes back") {
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const int exponent = (bits >> 10) & 31;
    const int fraction = bits & 1023;
    const float value = half_to_float(bits);
    if (exponent == 31) {
      if (fraction == 0) {
        REQUIRE(std::isinf(value));
        REQUIRE(float_to_half(value) == bits);
      } else {
        REQUIRE(std::isnan(value));
        REQUIRE((float_to_half(value) & 0x7fff) > 0x7c00);
      }
      REQUIRE(std::signbit(value) == ((bits >> 15) != 0));
      continue;
    }
    const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    REQUIRE(static_cast<double>(value) == (bits & 0x8000 ? -magnitude : magnitude));
    REQUIRE(std::signbit(value) == ((bits >> 15) != 0));
    REQUIRE(float_to_half(value) == bits);
  }
}

// Oracle: a law. Between two neighbouring halves the nearer one is taken, and half way the one with even bits.
TEST_CASE("float_to_half rounds to nearest, ties to even, between all neighbours") {
  for (std::uint16_t low = 0; low < 0x7bff; ++low) {
    const float a = half_to_float(low);
    const float b = half_to_float(static_cast<std::uint16_t>(low + 1));
    const float middle = (a + b) / 2;  // exact: one more bit than a half has
    const std::uint16_t even = low % 2 == 0 ? low : static_cast<std::uint16_t>(low + 1);
    REQUIRE(float_to_half(middle) == even);
    REQUIRE(float_to_half(-middle) == (even | 0x8000));
    REQUIRE(float_to_half(std::nextafter(middle, 0.0f)) == low);
    REQUIRE(float_to_half(std::nextafter(middle, 1e9f)) == low + 1);
  }
}

// Oracle: NumPy 1.24: for b in BITS: hex(np.uint32(b).view(np.float32).astype(np.float16).view(np.uint16))
TEST_CASE("float_to_half agrees with NumPy") {
  const std::vector<std::pair<std::uint32_t, std::uint16_t>> golden{
      {0x00000000u, 0x0000}, {0x80000000u, 0x8000}, {0x33000000u, 0x0000}, {0x33000001u, 0x0001}, {0x32ffffffu, 0x0000},
      {0x33800000u, 0x0001}, {0x33c00000u, 0x0002}, {0x38000000u, 0x0200}, {0x387fe000u, 0x0400}, {0x387ff000u, 0x0400},
      {0x387fefffu, 0x0400}, {0x387fffffu, 0x0400}, {0x38800000u, 0x0400}, {0x38801000u, 0x0400}, {0x38801001u, 0x0401},
      {0x38803000u, 0x0402}, {0x3f800000u, 0x3c00}, {0x3f801000u, 0x3c00}, {0x3f803000u, 0x3c02}, {0x3f802fffu, 0x3c01},
      {0x477fe000u, 0x7bff}, {0x477fefffu, 0x7bff}, {0x477ff000u, 0x7c00}, {0x47800000u, 0x7c00}, {0x7f7fffffu, 0x7c00},
      {0x7f800000u, 0x7c00}, {0xff800000u, 0xfc00}, {0xc77ff000u, 0xfc00}, {0xc77fefffu, 0xfbff}, {0x00000001u, 0x0000},
      {0x007fffffu, 0x0000}, {0x364cb63eu, 0x0033}, {0x3a298687u, 0x114c}, {0xc1da9aafu, 0xced5}, {0xc11ca20cu, 0xc8e5},
      {0x38b7f325u, 0x05c0}, {0x419c8590u, 0x4ce4}, {0xbe795051u, 0xb3cb}, {0x457021ceu, 0x6b81}, {0xc0409ca5u, 0xc205},
      {0x39520526u, 0x0a90}, {0x3c286232u, 0x2143}, {0x32b6dcdcu, 0x0000}, {0x46c914fbu, 0x7649}, {0x3e32d339u, 0x3197},
      {0x3f81fa9eu, 0x3c10}, {0x42e25717u, 0x5713}, {0xc0032cd4u, 0xc019}};
  for (const auto& [bits, half] : golden) {
    CAPTURE(bits);
    CHECK(float_to_half(from_bits(bits)) == half);
  }
}

// Oracle: IEEE 754: all bits of the exponent set and a mantissa that is not zero.
TEST_CASE("Not-a-number stays one, with its sign") {
  for (const std::uint32_t bits : {0x7f800001u, 0x7fffffffu, 0xff800001u, 0x7fc00000u}) {
    CHECK((float_to_half(from_bits(bits)) & 0x7fff) > 0x7c00);
    CHECK((float_to_bfloat16(from_bits(bits)) & 0x7fff) > 0x7f80);
    CHECK((float_to_half(from_bits(bits)) >> 15) == (bits >> 31));
    CHECK((float_to_bfloat16(from_bits(bits)) >> 15) == (bits >> 31));
  }
}

// Oracle: bfloat16 is the upper half of a float, by its definition.
TEST_CASE("Every bfloat16 is the upper half of its float and comes back") {
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float value = bfloat16_to_float(bits);
    REQUIRE(std::bit_cast<std::uint32_t>(value) == i << 16);
    if (!std::isnan(value)) REQUIRE(float_to_bfloat16(value) == bits);
  }
}

// Oracle: PyTorch 1.13: torch.tensor(BITS, dtype=torch.int32).view(torch.float32).bfloat16().view(torch.int16)
TEST_CASE("float_to_bfloat16 agrees with PyTorch") {
  const std::vector<std::pair<std::uint32_t, std::uint16_t>> golden{
      {0x00000000u, 0x0000}, {0x80000000u, 0x8000}, {0x3f808000u, 0x3f80}, {0x3f808001u, 0x3f81}, {0x3f807fffu, 0x3f80},
      {0x3f818000u, 0x3f82}, {0x3f817fffu, 0x3f81}, {0x7f7f7fffu, 0x7f7f}, {0x7f7f8000u, 0x7f80}, {0x7f7fffffu, 0x7f80},
      {0x7f800000u, 0x7f80}, {0xff800000u, 0xff80}, {0x00000001u, 0x0000}, {0x00008000u, 0x0000}, {0x00018000u, 0x0002},
      {0x807fffffu, 0x8080}, {0x46c41a45u, 0x46c4}, {0x2c3fe940u, 0x2c40}, {0x56a2f91eu, 0x56a3}, {0xe166bc4du, 0xe167},
      {0xf9e3257bu, 0xf9e3}, {0x7697c4ecu, 0x7698}, {0x3545625du, 0x3545}, {0x97cbc6c3u, 0x97cc}, {0x8f795278u, 0x8f79},
      {0xf2a236eau, 0xf2a2}, {0x40fce0fbu, 0x40fd}, {0xa6d4c78eu, 0xa6d5}, {0xcb35d750u, 0xcb36}, {0xec50326fu, 0xec50},
      {0x4b646d0cu, 0x4b64}, {0x3d7813deu, 0x3d78}};
  for (const auto& [bits, brain] : golden) {
    CAPTURE(bits);
    CHECK(float_to_bfloat16(from_bits(bits)) == brain);
  }
}
