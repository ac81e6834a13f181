// Oracle: every y = W x + b in double, its deviations from the pivot and their squares added one after the other.
#include "linear_moments.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "exec/blocked.hpp"
#include "shiftnorm/exec/instruction_set.hpp"

using namespace shiftnorm;
using namespace shiftnorm::exec;
using namespace shiftnorm::test;

namespace {

struct Sums {
  std::vector<double> sum, square;
  std::vector<double>
      size;  ///< what the digits of a square are lost to: n (|w| |x - c| + |m|)^2, c and m as in the header
};

struct Problem {
  Layout layout;
  AlignedVector<float> x;
  Tensor weights, bias;
  std::vector<float> pivot;

  [[nodiscard]] Sums expected() const {
    Sums out;
    for (std::size_t o = 0; o < pivot.size(); ++o) {
      double sum = 0, square = 0, size = 0;
      for (std::int64_t p = 0; p < layout.pixels; ++p) {
        double y = static_cast<double>(bias.values[o]) - static_cast<double>(pivot[o]), deviation = 0, centre = y;
        for (std::int64_t i = 0; i < layout.channels; ++i) {
          const auto w = static_cast<double>(
              weights.values[o * static_cast<std::size_t>(layout.channels) + static_cast<std::size_t>(i)]);
          const auto at = [&](std::int64_t pixel) {
            return static_cast<double>(x[static_cast<std::size_t>(layout.at(i, pixel))]);
          };
          y += w * at(p);
          centre += w * at(layout.pixels / 2);
          deviation += std::abs(w * (at(p) - at(layout.pixels / 2)));
        }
        sum += y;
        square += y * y;
        size += std::pow(deviation + std::abs(centre), 2);
      }
      out.sum.push_back(sum);
      out.square.push_back(square);
      out.size.push_back(size);
    }
    return out;
  }

  [[nodiscard]] Sums found() const {
    Sums out;
    out.sum.resize(pivot.size());
    out.square.resize(pivot.size());
    AlignedVector<std::byte> scratch(linear_moments_bytes(layout.channels));
    linear_moments(layout, x.data(), *block_weights(weights, &bias, layout.block), pivot, scratch.data(), out.sum,
                   out.square);
    return out;
  }
};

Problem problem(std::int64_t inputs, std::int64_t outputs, std::int64_t pixels) {
  const Layout layout{inputs, pixels, channel_block()};
  const Shape shape{outputs, inputs, 1, 1};
  return {layout, activation(layout, 1), Tensor(shape, random_floats(static_cast<std::size_t>(shape.elements()), 2)),
          Tensor(Shape{outputs}, random_floats(static_cast<std::size_t>(outputs), 3)),
          random_floats(static_cast<std::size_t>(outputs), 4)};
}

/// As many roundings of 2^-53 as there are terms, all one way, and as many again in the oracle; exact products.
void check(const Problem& p) {
  const Sums expected = p.expected(), found = p.found();
  const double roundings = static_cast<double>(2 * (p.layout.pixels + 4 * p.layout.channels)) * 0x1p-53;
  for (std::size_t o = 0; o < p.pivot.size(); ++o) {
    CAPTURE(o, p.layout.channels, p.layout.pixels, instruction_set());
    const double n = static_cast<double>(p.layout.pixels);
    CHECK(std::abs(found.sum[o] - expected.sum[o]) <= roundings * std::sqrt(n * expected.size[o]));
    CHECK(std::abs(found.square[o] - expected.square[o]) <= roundings * expected.size[o]);
  }
}

}  // namespace

// Oracle: the convolution in double and its sums, as above.
TEST_CASE("Moments of a 1 x 1 convolution follow from its source", "[exec][isa]") {
  limit_once();
  for (const std::int64_t inputs : {1, 8, 16, 19, 24, 33, 40})
    for (const std::int64_t pixels : {1, 49, 64, 65, 784}) check(problem(inputs, 6 * inputs, pixels));
}

// Oracle: the convolution in double and its sums, as above.
TEST_CASE("A difference of nearly equal channels keeps the digits of its variance", "[exec][isa]") {
  limit_once();
  Problem p = problem(16, 2, 784);
  std::ranges::fill(p.weights.values, 0.0f);
  p.weights.values[0] = 1;
  p.weights.values[1] = -1;  // the first output: channel 0 less channel 1, a thousand times smaller than both
  for (std::int64_t pixel = 0; pixel < p.layout.pixels; ++pixel)
    p.x[static_cast<std::size_t>(p.layout.at(1, pixel))] =
        p.x[static_cast<std::size_t>(p.layout.at(0, pixel))] +
        0x1p-10f * p.x[static_cast<std::size_t>(p.layout.at(2, pixel))];
  p.pivot[0] = p.bias.values[0];
  check(p);
  // The bound of check() leaves six digits of such a square; float alone would have kept one.
  CHECK(p.found().square[0] == Approx(p.expected().square[0]).epsilon(7e-7));
}

// Law: the variance of a constant is 0, but for four roundings of the mean's square.
TEST_CASE("Constant channels have no variance", "[exec][isa]") {
  limit_once();
  Problem p = problem(24, 40, 196);
  for (std::int64_t c = 0; c < p.layout.channels; ++c)
    for (std::int64_t pixel = 0; pixel < p.layout.pixels; ++pixel)
      p.x[static_cast<std::size_t>(p.layout.at(c, pixel))] = 0.1f * static_cast<float>(c);
  const Sums found = p.found();
  for (std::size_t o = 0; o < p.pivot.size(); ++o) {
    const double mean = found.sum[o] / 196;
    CHECK(found.square[o] / 196 - mean * mean == Approx(0).margin(4 * 0x1p-53 * mean * mean));  // of four roundings
  }
}
