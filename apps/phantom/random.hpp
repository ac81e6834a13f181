#pragma once

#include <cstdint>

namespace shiftnorm::phantom {

/// SplitMix64 (Steele, Lea, Flood 2014). The distributions of <random> differ between standard libraries; these do not.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// Uniform in [low, high).
  double uniform(double low, double high) { return low + (high - low) * static_cast<double>(next() >> 11) * 0x1p-53; }
  /// Mean 0, variance 1: twelve uniforms summed, which needs no function of the mathematics library.
  double gaussian() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform(0, 1);
    return sum;
  }

 private:
  std::uint64_t state_;
};

/// A seed for one stream out of a seed and an index: neighbours give unrelated streams.
inline std::uint64_t mixed(std::uint64_t seed, std::uint64_t index) {
  return Random(seed ^ Random(index).next()).next();
}

}  // namespace shiftnorm::phantom
