// Oracle: plain loops over the definition of a convolution, in double.
#include "winograd.hpp"

#include <hwy/highway.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "exec/random_network.hpp"
#include "layout.hpp"
#include "support/near.hpp"

using namespace shiftnorm;
using namespace shiftnorm::test;
using exec::ConvolutionShape;

namespace {

struct WinogradCase {
  std::int64_t inputs, outputs, height, width;
  std::vector<std::int64_t> pads;  ///< top, left, bottom, right
};

ConvolutionShape shape_of(const WinogradCase& c) {
  const std::int64_t down = c.height + c.pads[0] + c.pads[2] - 2, across = c.width + c.pads[1] + c.pads[3] - 2;
  return {{1, c.inputs, c.height, c.width},
          {1, c.outputs, down, across},
          {{3, 3}, {1, 1}, {1, 1}, {c.pads[0], c.pads[1]}, {c.pads[2], c.pads[3]}},
          1};
}

std::vector<double> by_definition(const ConvolutionShape& s, const std::vector<float>& x, const Tensor& w,
                                  const Tensor* bias) {
  const std::int64_t inputs = s.src[1], height = s.src[2], width = s.src[3];
  std::vector<double> out;
  for (std::int64_t o = 0; o < s.dst[1]; ++o)
    for (std::int64_t y = 0; y < s.dst[2]; ++y)
      for (std::int64_t z = 0; z < s.dst[3]; ++z) {
        double sum = bias != nullptr ? static_cast<double>(bias->values[static_cast<std::size_t>(o)]) : 0.0;
        for (std::int64_t c = 0; c < inputs; ++c)
          for (std::int64_t k = 0; k < 9; ++k) {
            const std::int64_t i = y + k / 3 - s.window.pads_begin[0], j = z + k % 3 - s.window.pads_begin[1];
            if (i < 0 || j < 0 || i >= height || j >= width) continue;
            sum += static_cast<double>(x[static_cast<std::size_t>((c * height + i) * width + j)]) *
                   static_cast<double>(w.values[static_cast<std::size_t>((o * inputs + c) * 9 + k)]);
          }
        out.push_back(sum);
      }
  return out;
}

AlignedVector<float> blocked(const std::vector<float>& plain, const exec::Layout& layout) {
  AlignedVector<float> out(static_cast<std::size_t>(layout.floats()), 0.0f);
  for (std::int64_t c = 0; c < layout.channels; ++c)
    for (std::int64_t p = 0; p < layout.pixels; ++p)
      out[static_cast<std::size_t>(layout.at(c, p))] = plain[static_cast<std::size_t>(c * layout.pixels + p)];
  return out;
}

/// Lets kernels run on no better instructions than `target` until it goes.
struct Limited {
  explicit Limited(std::int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().DeInit();
  }
  ~Limited() {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().DeInit();
  }
};

}  // namespace

// Oracle: by_definition(), loops in double.
TEST_CASE("Winograd's convolutions agree with the definition on every instruction set", "[exec]") {
  const auto c = GENERATE(values<WinogradCase>({{16, 16, 32, 32, {1, 1, 1, 1}},
                                                {48, 32, 13, 9, {1, 1, 1, 1}},
                                                {19, 37, 8, 17, {1, 1, 1, 1}},
                                                {64, 8, 4, 4, {1, 1, 1, 1}},
                                                {8, 24, 3, 5, {2, 2, 2, 2}},
                                                {16, 16, 11, 6, {0, 0, 0, 0}},
                                                {16, 40, 7, 7, {0, 2, 1, 0}},
                                                {16, 16, 2, 2, {7, 5, 6, 8}},  // whole tiles of padding
                                                {256, 64, 20, 30, {1, 1, 1, 1}}}));
  const bool with_bias = GENERATE(false, true);
  const ConvolutionShape s = shape_of(c);
  const std::vector<float> x = random_floats(static_cast<std::size_t>(s.src.elements()), 5);
  const Tensor w({c.outputs, c.inputs, 3, 3}, random_floats(static_cast<std::size_t>(c.outputs * c.inputs * 9), 6)),
      bias(Shape{c.outputs}, random_floats(static_cast<std::size_t>(c.outputs), 7));
  const std::vector<double> expected = by_definition(s, x, w, with_bias ? &bias : nullptr);
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    const Limited limited(target);
    for (const std::int64_t block : {8, 16}) {
      CAPTURE(c.inputs, c.outputs, c.height, c.width, block, hwy::TargetName(target));
      const exec::Layout from = exec::layout_of(s.src, block), to = exec::layout_of(s.dst, block);
      const auto kernel = exec::compile_winograd(s, w, with_bias ? &bias : nullptr, block);
      const AlignedVector<float> src = blocked(x, from);
      AlignedVector<float> dst(static_cast<std::size_t>(to.floats()), std::nanf(""));
      AlignedVector<std::byte> scratch(kernel->scratch_bytes());
      const float* const source = src.data();
      kernel->run({{&source, 1}, dst.data(), {}, scratch.data(), nullptr});
      std::vector<double> found;
      for (std::int64_t o = 0; o < to.channels; ++o)
        for (std::int64_t p = 0; p < to.pixels; ++p) found.push_back(dst[static_cast<std::size_t>(to.at(o, p))]);
      // Float32 sums of up to 256 products, without fused multiplication on some of the instruction sets, and
      // transforms that cost a factor of about two: 2.9e-6 of the largest was seen.
      CHECK_THAT(found, test::near_largest(expected, 4e-6));
      // Channels of padding: zero, as kernels that read whole blocks expect finite numbers there.
      for (std::int64_t o = to.channels; o < to.padded_channels(); ++o)
        CHECK(dst[static_cast<std::size_t>(to.at(o, 0))] == 0.0f);
    }
  }
}

// Oracle: the measurements of decision 0029, by network.
TEST_CASE("Winograd's algorithm is chosen by shape alone, where it pays", "[exec]") {
  const auto pays = [](std::int64_t inputs, std::int64_t outputs, std::int64_t side) {
    return exec::winograd_pays(shape_of({inputs, outputs, side, side, {1, 1, 1, 1}}), 16);
  };
  CHECK(pays(16, 16, 32));  // CIFAR ResNets
  CHECK(pays(64, 64, 8));
  CHECK(pays(64, 64, 56));  // ImageNet ResNets
  CHECK(pays(256, 256, 14));
  CHECK_FALSE(pays(512, 512, 7));  // four tiles for 38 MB of weights
  CHECK_FALSE(pays(3, 64, 32));
  CHECK_FALSE(pays(32, 64, 51));  // Inception's first layers, whose rounding 90 layers amplify
  CHECK_FALSE(pays(64, 64, 1));
  ConvolutionShape strided = shape_of({64, 64, 56, 56, {1, 1, 1, 1}});
  strided.window.strides = {2, 2};
  strided.dst = {1, 64, 28, 28};
  CHECK_FALSE(exec::winograd_pays(strided, 16));
}
