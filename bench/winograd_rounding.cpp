// Rounding of 3 x 3 convolutions: Winograd's and direct ones against the definition in float64, as docs/decisions/0029
// states it. usage: bench_rounding [DRAWS]
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "convolution.hpp"
#include "layout.hpp"
#include "shiftnorm/core/aligned.hpp"
#include "shiftnorm/exec/instruction_set.hpp"
#include "winograd.hpp"

namespace {

using namespace shiftnorm;

constexpr std::int64_t kBlock = 16, kSide = 24;

/// Images behind a ReLU, or of both signs; weights as they are initialised (He et al. 2015).
struct Draw {
  std::vector<float> image;
  Tensor weights;
};

Draw draw_of(std::int64_t channels, bool rectified, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> image, weights;
  for (std::int64_t i = 0; i < channels * kSide * kSide; ++i) {
    const float v = normal(random);
    image.push_back(rectified ? std::max(v, 0.0f) : v);
  }
  const float deviation = std::sqrt(2.0f / (9.0f * static_cast<float>(channels)));
  for (std::int64_t i = 0; i < channels * channels * 9; ++i) weights.push_back(deviation * normal(random));
  return {std::move(image), Tensor(Shape{channels, channels, 3, 3}, std::move(weights))};
}

/// At every pixel. Direct convolution is measured with a stride of 2, which gives a quarter of these and is never
/// Winograd.
std::vector<double> by_definition(const Draw& draw, std::int64_t channels) {
  std::vector<double> out(static_cast<std::size_t>(channels * kSide * kSide), 0.0);
  for (std::int64_t o = 0; o < channels; ++o)
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t k = 0; k < 9; ++k) {
        const auto w = static_cast<double>(draw.weights.values[static_cast<std::size_t>((o * channels + c) * 9 + k)]);
        for (std::int64_t y = 0; y < kSide; ++y)
          for (std::int64_t x = 0; x < kSide; ++x) {
            const std::int64_t i = y + k / 3 - 1, j = x + k % 3 - 1;
            if (i < 0 || j < 0 || i >= kSide || j >= kSide) continue;
            out[static_cast<std::size_t>((o * kSide + y) * kSide + x)] +=
                w * static_cast<double>(draw.image[static_cast<std::size_t>((c * kSide + i) * kSide + j)]);
          }
      }
  return out;
}

struct Error {
  double squares = 0, of = 0;
  void add(double found, double expected) {
    squares += (found - expected) * (found - expected);
    of += expected * expected;
  }
  [[nodiscard]] double relative() const { return std::sqrt(squares / of); }
};

void measure(const Draw& draw, std::int64_t channels, bool winograd, const std::vector<double>& expected,
             Error& error) {
  const std::int64_t stride = winograd ? 1 : 2, side = (kSide + stride - 1) / stride;
  const exec::ConvolutionShape shape{
      {1, channels, kSide, kSide}, {1, channels, side, side}, {{3, 3}, {stride, stride}, {1, 1}, {1, 1}, {1, 1}}, 1};
  const exec::Layout from = exec::layout_of(shape.src, kBlock), to = exec::layout_of(shape.dst, kBlock);
  AlignedVector<float> src(static_cast<std::size_t>(from.floats()), 0.0f), dst(static_cast<std::size_t>(to.floats()));
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t p = 0; p < from.pixels; ++p)
      src[static_cast<std::size_t>(from.at(c, p))] = draw.image[static_cast<std::size_t>(c * from.pixels + p)];
  const auto kernel = winograd ? exec::compile_winograd(shape, draw.weights, nullptr, kBlock)
                               : exec::compile_convolution(shape, draw.weights, nullptr, kBlock, false).kernel;
  AlignedVector<std::byte> scratch(kernel->scratch_bytes());
  const float* const source = src.data();
  const auto worker = kernel->make_worker_state();
  kernel->run({{&source, 1}, dst.data(), {}, scratch.data(), worker.get()});
  for (std::int64_t o = 0; o < channels; ++o)
    for (std::int64_t y = 0; y < side; ++y)
      for (std::int64_t x = 0; x < side; ++x)
        error.add(static_cast<double>(dst[static_cast<std::size_t>(to.at(o, y * side + x))]),
                  expected[static_cast<std::size_t>((o * kSide + y * stride) * kSide + x * stride)]);
}

}  // namespace

int main(int argc, char** argv) {
  const auto draws = static_cast<unsigned>(argc > 1 ? std::atoi(argv[1]) : 4);
  fmt::print("{}, {} x {} pixels, {} draws: rms of the error, of the result's rms\n", exec::instruction_set(), kSide,
             kSide, draws);
  fmt::print("channels  images      direct    Winograd  ratio\n");
  for (const std::int64_t channels : {16, 32, 64, 192, 512})
    for (const bool rectified : {true, false}) {
      Error direct, winograd;
      for (unsigned d = 0; d < draws; ++d) {
        const Draw draw = draw_of(channels, rectified, d + 1);
        const std::vector<double> expected = by_definition(draw, channels);
        measure(draw, channels, false, expected, direct);
        measure(draw, channels, true, expected, winograd);
      }
      fmt::print("{:>8}  {:<10}  {:.2e}  {:.2e}  {:.2f}\n", channels, rectified ? "rectified" : "both signs",
                 direct.relative(), winograd.relative(), winograd.relative() / direct.relative());
      std::fflush(stdout);  // the largest take a while
    }
}
