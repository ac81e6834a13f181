#pragma once

#include <cstdlib>

#include "exec/random_network.hpp"
#include "layout.hpp"
#include "shiftnorm/core/aligned.hpp"
#include "shiftnorm/exec/instruction_set.hpp"

namespace shiftnorm::test {

/// As a process of its own asks for, before its first kernel: CMakeLists.txt runs what is tagged [isa] for each
/// instruction set.
inline void limit_once() {
  static const bool done = [] {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here writes the environment.
    if (const char* name = std::getenv("SHIFTNORM_TEST_ISA")) exec::limit_instruction_set(name);
    return true;
  }();
  static_cast<void>(done);
}

/// Values in [-1, 1] where a layout has channels, zeros in its padding.
inline AlignedVector<float> activation(const exec::Layout& layout, unsigned seed) {
  const std::vector<float> random = random_floats(static_cast<std::size_t>(layout.channels * layout.pixels), seed);
  AlignedVector<float> out(static_cast<std::size_t>(layout.floats()), 0.0f);
  for (std::int64_t c = 0, i = 0; c < layout.channels; ++c)
    for (std::int64_t p = 0; p < layout.pixels; ++p)
      out[static_cast<std::size_t>(layout.at(c, p))] = random[static_cast<std::size_t>(i++)];
  return out;
}

}  // namespace shiftnorm::test
