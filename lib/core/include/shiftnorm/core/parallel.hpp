#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace shiftnorm {

/// Calls work(i) for i in [0, n) from several threads. The first exception stops the others and is thrown here.
template <class Work>
void for_each_parallel(std::size_t n, int threads, Work work) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr error;
  std::mutex mutex;
  const auto loop = [&] {
    try {
      for (std::size_t i = next++; i < n && !failed; i = next++) work(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
      failed = true;
    }
  };
  {
    std::vector<std::jthread> workers;
    const auto helpers = std::min(static_cast<std::size_t>(threads), n);
    for (std::size_t t = 1; t < helpers; ++t) workers.emplace_back(loop);
    loop();
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace shiftnorm
