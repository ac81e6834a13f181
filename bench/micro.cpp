// Single kernels, on one thread: `scripts/bench micro`. Items are floats of the result, so that items per second times
// four bytes is the rate at which it is written.
#include <benchmark/benchmark.h>
#include <png.h>

#include <cstddef>
#include <random>
#include <vector>

#include "decode_image.hpp"
#include "encode_jpeg.hpp"
#include "resample.hpp"
#include "shiftnorm/core/aligned.hpp"
#include "shiftnorm/imaging/transform.hpp"
#include "shiftnorm/metrics/label_free.hpp"
#include "shiftnorm/stats/channel_moments.hpp"
#include "shiftnorm/stats/spread.hpp"
#include "vector_elementwise.hpp"
#include "vector_moments.hpp"

namespace {

using namespace shiftnorm;

constexpr std::size_t kBlock = 16;

AlignedVector<float> noise(std::size_t floats) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  AlignedVector<float> values(floats);
  for (float& v : values) v = normal(random);
  return values;
}

/// One block of 16 channels with so many pixels, all in the nearest caches.
void normalisation(benchmark::State& state, bool residual) {
  const auto pixels = static_cast<std::size_t>(state.range(0));
  const AlignedVector<float> x = noise(pixels * kBlock), scale = noise(kBlock), shift = noise(kBlock);
  AlignedVector<float> y(pixels * kBlock);
  const exec::AffineTerm first{x.data(), scale.data(), shift.data()},
      second{residual ? x.data() : nullptr, nullptr, nullptr};
  for (auto _ : state) {
    exec::affine_sum(first, second, true, pixels, kBlock, y.data());
    benchmark::DoNotOptimize(y.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(y.size()));
}

void function(benchmark::State& state, exec::Unary op) {
  const AlignedVector<float> x = noise(4096);
  AlignedVector<float> y(x.size());
  for (auto _ : state) {
    exec::elementwise(op, 0.0f, 6.0f, x.data(), x.size(), y.data());
    benchmark::DoNotOptimize(y.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(y.size()));
}

void moments(benchmark::State& state) {
  const auto pixels = static_cast<std::size_t>(state.range(0));
  const AlignedVector<float> x = noise(pixels * kBlock), pivot = noise(kBlock);
  std::vector<double> sum(kBlock), square(kBlock);
  for (auto _ : state) {
    exec::block_moments(x.data(), pivot.data(), pixels, kBlock, sum.data(), square.data());
    benchmark::DoNotOptimize(sum.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(x.size()));
}

/// Sums of so many images into the exact accumulators of 256 channels.
void accumulation(benchmark::State& state) {
  constexpr std::size_t kChannels = 256;
  const auto images = static_cast<std::size_t>(state.range(0));
  stats::ChannelMoments total(std::vector<float>(kChannels, 0.0f));
  stats::Spread spread(kChannels);
  std::vector<double> sum, square;
  for (const float v : noise(images * kChannels)) {
    sum.push_back(1e3 * static_cast<double>(v));
    square.push_back(3e3 + sum.back());
  }
  for (auto _ : state) {
    total.add_images(sum, square, 3136, images);
    spread.add(sum, square, 3136, images);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(5 * sum.size()));
}

constexpr int kHeight = 375, kWidth = 500;

imaging::Image photograph() {
  imaging::Image image{.height = kHeight, .width = kWidth, .channels = 3};
  std::mt19937 random(5);
  std::normal_distribution<float> grain(0.0f, 6.0f);
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x)
      for (int c = 0; c < 3; ++c)
        image.pixels.push_back(static_cast<std::uint16_t>(
            std::clamp(static_cast<float>((x * (c + 1) + y * 2) / 8 % 256) + grain(random), 0.0f, 255.0f)));
  return image;
}

std::vector<std::byte> jpeg(const imaging::Image& image) { return imaging::encode_jpeg(image, 95); }

std::vector<std::byte> png(const imaging::Image& image) {
  const std::vector<png_byte> values(image.pixels.begin(), image.pixels.end());
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = kWidth;
  header.height = kHeight;
  header.format = PNG_FORMAT_RGB;
  std::vector<std::byte> file(PNG_IMAGE_PNG_SIZE_MAX(header));
  png_alloc_size_t size = file.size();
  png_image_write_to_memory(&header, file.data(), &size, 0, values.data(), 0, nullptr);
  file.resize(size);
  return file;
}

void decode(benchmark::State& state, std::vector<std::byte> (*encode)(const imaging::Image&)) {
  const imaging::Image image = photograph();
  const std::vector<std::byte> file = encode(image);
  for (auto _ : state) benchmark::DoNotOptimize(imaging::decode_image(file).pixels.data());
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(image.values()));
}

/// The shorter side to 256, and what a crop of 224 x 224 keeps of it.
void resize(benchmark::State& state, imaging::Interpolation interpolation, bool antialias) {
  const imaging::Image image = photograph();
  for (auto _ : state)
    benchmark::DoNotOptimize(
        imaging::resample(image, 256, 341, interpolation, antialias, {16, 58, 224, 224}).pixels.data());
  state.SetItemsProcessed(state.iterations() * 224 * 224 * 3);
}

void to_input(benchmark::State& state) {
  const imaging::Pipeline pipeline = imaging::preset("imagenet");
  const imaging::Image image = imaging::apply_image_steps(pipeline, photograph(), 3);
  std::vector<float> input(image.values());
  for (auto _ : state) {
    imaging::apply_float_steps(pipeline, image, input);
    benchmark::DoNotOptimize(input.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(input.size()));
}

/// Softmax outputs of sure predictions spread over the classes; alike: all rows the same, which a Gram matrix cannot
/// decompose well enough.
void nuclear_norm(benchmark::State& state, bool alike) {
  const auto images = static_cast<std::size_t>(state.range(0)), classes = static_cast<std::size_t>(state.range(1));
  std::mt19937_64 random(3);
  std::vector<float> logits(images * classes);
  for (std::size_t i = 0; i < images; ++i) {
    const std::size_t label = random() % classes;
    for (std::size_t k = 0; k < classes; ++k)
      logits[i * classes + k] = alike ? static_cast<float>(k % 7)
                                      : static_cast<float>(random() >> 11) * 0x1p-51F + (k == label ? 8.0F : 0.0F);
  }
  const std::vector<double> rows = metrics::softmax(logits, static_cast<std::int64_t>(classes));
  for (auto _ : state)
    benchmark::DoNotOptimize(metrics::nuclear_norm(metrics::Rows(rows, static_cast<std::int64_t>(classes))));
}

BENCHMARK_CAPTURE(nuclear_norm, spread, false)->Args({501, 1000})->Args({50'000, 1000})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(nuclear_norm, alike, true)->Args({50'000, 1000})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(normalisation, relu, false)->Arg(49)->Arg(3136);
BENCHMARK_CAPTURE(normalisation, residual_relu, true)->Arg(49)->Arg(3136);
BENCHMARK_CAPTURE(function, relu6, exec::Unary::clip);
BENCHMARK_CAPTURE(function, swish, exec::Unary::swish);
BENCHMARK_CAPTURE(function, hard_swish, exec::Unary::hard_swish);
BENCHMARK_CAPTURE(function, tanh, exec::Unary::tanh);
BENCHMARK(moments)->Arg(49)->Arg(3136);
BENCHMARK(accumulation)->Arg(1)->Arg(64);
BENCHMARK_CAPTURE(decode, jpeg, jpeg);
BENCHMARK_CAPTURE(decode, png, png);
BENCHMARK_CAPTURE(resize, bilinear_antialiased, imaging::Interpolation::bilinear, true);
BENCHMARK_CAPTURE(resize, bilinear, imaging::Interpolation::bilinear, false);
BENCHMARK_CAPTURE(resize, bicubic_antialiased, imaging::Interpolation::bicubic, true);
BENCHMARK(to_input);

}  // namespace

BENCHMARK_MAIN();
