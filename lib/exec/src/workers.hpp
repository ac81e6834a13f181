#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace shiftnorm::exec {

/// A fixed team of threads, each set up for single-threaded oneDNN kernels.
class Workers {
 public:
  explicit Workers(std::size_t count);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  [[nodiscard]] std::size_t count() const noexcept { return threads_.size(); }
  /// Runs task(worker) on every thread and waits. The first exception is thrown again here; the others see stopped().
  void run(const std::function<void(std::size_t worker)>& task);
  [[nodiscard]] bool stopped() const noexcept { return stopped_.load(std::memory_order_relaxed); }

 private:
  void serve(std::size_t worker);

  std::mutex mutex_;
  std::condition_variable start_, finish_;
  const std::function<void(std::size_t)>* task_ = nullptr;
  std::uint64_t round_ = 0;
  std::size_t busy_ = 0;
  bool quit_ = false;
  std::atomic<bool> stopped_ = false;
  std::exception_ptr error_;
  std::vector<std::jthread> threads_;
};

}  // namespace shiftnorm::exec
