#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace shiftnorm::app {

/// How progress is shown on stderr: a bar that is drawn again in place, a plain line or a JSON event every few seconds.
enum class ProgressStyle { none, bar, lines, json };

/// Shows the stages of a computation with their rate and the time left. Safe from any thread.
class ProgressView {
 public:
  explicit ProgressView(ProgressStyle style) : style_(style) {}
  void report(std::string_view stage, std::int64_t done, std::int64_t total);
  /// What the next stages belong to: a "run" of a sweep, a "mode"; an empty name ends it.
  void enter(std::string_view kind, std::string_view name);
  /// Takes the bar off the line, so that a message can be written there.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  void draw(std::int64_t done, std::int64_t total, Clock::time_point now);

  std::mutex mutex_;
  ProgressStyle style_;
  std::string stage_, run_, mode_;
  Clock::time_point started_, shown_;
  std::int64_t highest_ = 0;
  bool line_open_ = false, stage_shown_ = false;
};

/// "0:07", "1:02:03".
[[nodiscard]] std::string clock_text(double seconds);

}  // namespace shiftnorm::app
