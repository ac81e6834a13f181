#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace shiftnorm {

/// xoshiro256** (Blackman & Vigna 2018), its state filled by SplitMix64 from a seed and a stream number: stream r is
/// the same whichever thread draws it, and however many streams were drawn before.
class Random {
 public:
  Random(std::uint64_t seed, std::uint64_t stream) {
    std::uint64_t x = mix(seed) ^ mix(~stream);
    for (std::uint64_t& word : state_) word = mix(x += 0x9e3779b97f4a7c15U);
  }

  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// Uniform in [0, bound), bound > 0, without bias: rejection after Lemire 2019, "Fast random integer generation in an
  /// interval".
  std::uint32_t below(std::uint32_t bound) {
    std::uint64_t product = (next() >> 32) * bound;
    if (static_cast<std::uint32_t>(product) < bound) {
      const std::uint32_t threshold = (0U - bound) % bound;
      while (static_cast<std::uint32_t>(product) < threshold) product = (next() >> 32) * bound;
    }
    return static_cast<std::uint32_t>(product >> 32);
  }

  /// Uniform in [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Standard normal (Box & Muller 1958; the second number of a pair is not kept, so that a draw depends on no other).
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }
  /// Poisson by inversion, one uniform number each; the time grows with the mean, which is at most 700.
  std::uint32_t poisson(double mean) {
    double term = std::exp(-mean), sum = term;
    const double target = uniform();
    std::uint32_t k = 0;
    // Far in the tail a term no longer changes the sum.
    while (sum < target && term > 0 && k < 10'000) sum += term *= mean / ++k;
    return k;
  }

 private:
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }

  std::array<std::uint64_t, 4> state_{};
};

}  // namespace shiftnorm
