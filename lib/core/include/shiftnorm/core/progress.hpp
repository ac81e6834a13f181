#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string_view>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm {

/// How a long computation reports progress and learns that it should stop. Both parts are optional.
/// `report` may be called from any thread, one call at a time per stage; done == total ends a stage.
struct Progress {
  std::function<void(std::string_view stage, std::int64_t done, std::int64_t total)> report;
  const std::atomic<bool>* cancelled = nullptr;
  /// What the next stages belong to: `kind` is "run" or "mode", an empty name ends it. Called between stages.
  std::function<void(std::string_view kind, std::string_view name)> enter;

  void within(std::string_view kind, std::string_view name) const {
    if (enter) enter(kind, name);
  }
  void tell(std::string_view stage, std::int64_t done, std::int64_t total) const {
    if (report) report(stage, done, total);
  }
  /// Throws Interrupted once the caller has asked to stop.
  void check() const {
    if (cancelled != nullptr && cancelled->load(std::memory_order_relaxed)) throw Interrupted();
  }
};

}  // namespace shiftnorm
