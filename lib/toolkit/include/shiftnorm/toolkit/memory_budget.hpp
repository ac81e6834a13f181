#pragma once

#include <cstdint>

#include "shiftnorm/imaging/sample_store.hpp"

namespace shiftnorm::toolkit {

/// Bytes that a job may take, and how they are divided: a quarter for prepared images, the rest for the engine.
struct MemoryBudget {
  std::uint64_t total = 0;  ///< 0: half of what is free

  [[nodiscard]] std::uint64_t engine() const { return total - total / 4; }
  [[nodiscard]] imaging::StoreOptions store(int threads) const {
    imaging::StoreOptions options;
    options.threads = threads;
    if (total > 0 && total / 4 < options.memory) options.memory = total / 4;
    return options;
  }
};

}  // namespace shiftnorm::toolkit
