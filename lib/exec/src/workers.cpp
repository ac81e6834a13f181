#include "workers.hpp"

#include <omp.h>

namespace shiftnorm::exec {

Workers::Workers(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this, i] { serve(i); });
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    quit_ = true;
  }
  start_.notify_all();
}

void Workers::run(const std::function<void(std::size_t)>& task) {
  std::unique_lock lock(mutex_);
  task_ = &task;
  busy_ = threads_.size();
  error_ = nullptr;
  stopped_ = false;
  ++round_;
  start_.notify_all();
  finish_.wait(lock, [this] { return busy_ == 0; });
  task_ = nullptr;
  if (error_) std::rethrow_exception(error_);
}

void Workers::serve(std::size_t worker) {
  omp_set_num_threads(1);
  std::uint64_t seen = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    start_.wait(lock, [&] { return quit_ || round_ != seen; });
    if (quit_) return;
    seen = round_;
    const auto* task = task_;
    lock.unlock();
    std::exception_ptr error;
    try {
      (*task)(worker);
    } catch (...) {
      error = std::current_exception();
      stopped_ = true;
    }
    lock.lock();
    if (error && !error_) error_ = error;
    if (--busy_ == 0) finish_.notify_one();
  }
}

}  // namespace shiftnorm::exec
