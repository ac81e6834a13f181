#include "progress_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "shiftnorm/container/json.hpp"

namespace shiftnorm::app {
namespace {

constexpr std::chrono::milliseconds kBarEvery{100}, kLineEvery{3000};
constexpr std::int64_t kBarWidth = 24;

void write_stderr(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

std::string clock_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

void ProgressView::report(std::string_view stage, std::int64_t done, std::int64_t total) {
  if (style_ == ProgressStyle::none || total <= 0) return;
  const std::lock_guard lock(mutex_);
  const Clock::time_point now = Clock::now();
  if (stage != stage_ || done < highest_) {  // a stage of the same name begins again
    stage_ = stage;
    started_ = shown_ = now;
    stage_shown_ = false;
  }
  highest_ = done;
  const bool ended = done >= total;
  const auto every = style_ == ProgressStyle::bar ? kBarEvery : kLineEvery;
  // The end is told where a beginning was: short stages stay silent.
  if (now - shown_ < every && !(ended && (stage_shown_ || style_ == ProgressStyle::json))) return;
  shown_ = now;
  stage_shown_ = true;
  draw(done, total, now);
  if (ended) highest_ = 0;
}

void ProgressView::enter(std::string_view kind, std::string_view name) {
  const std::lock_guard lock(mutex_);
  (kind == "run" ? run_ : mode_) = name;
  stage_.clear();  // a stage of the same name is another one now
}

void ProgressView::draw(std::int64_t done, std::int64_t total, Clock::time_point now) {
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  const double left = rate > 0 ? static_cast<double>(total - done) / rate : 0;
  if (style_ == ProgressStyle::json) {
    using container::Json;
    Json event = Json::object({{"event", "progress"}, {"stage", stage_}});
    if (!run_.empty()) event.set("run", run_);
    if (!mode_.empty()) event.set("mode", mode_);
    event.set("done", done).set("total", total).set("rate", rate).set("seconds_left", left);
    write_stderr(container::write_json(event) + "\n");
    return;
  }
  const std::string numbers = fmt::format("{} of {}, {:.1f}/s, {} left", done, total, rate, clock_text(left));
  const std::string stage = mode_.empty() ? stage_ : fmt::format("{}: {}", mode_, stage_);
  if (style_ == ProgressStyle::lines) {
    write_stderr(fmt::format("shiftnorm: {}: {}\n", stage, numbers));
    return;
  }
  const std::int64_t filled = std::clamp<std::int64_t>(done * kBarWidth / total, 0, kBarWidth);
  const std::string bar = std::string(static_cast<std::size_t>(filled), '#') +
                          std::string(static_cast<std::size_t>(kBarWidth - filled), '.');
  // \x1b[K: erase what a longer line before left behind.
  write_stderr(fmt::format("\r{} [{}] {}\x1b[K{}", stage, bar, numbers, done >= total ? "\n" : ""));
  line_open_ = done < total;
}

void ProgressView::clear() {
  const std::lock_guard lock(mutex_);
  if (line_open_) write_stderr("\r\x1b[K");
  line_open_ = false;
}

}  // namespace shiftnorm::app
