#include "resource_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::app {
namespace {

constexpr OptionSpec kResources[] = {
    {"max-bad", "N|P%", "end with exit code 4 when more files are bad (default: 5%)"},
    {"memory", "SIZE", "memory to use, e.g. 4G (default: half of what is free)"},
};

constexpr int kMostThreads = 1024;

}  // namespace

std::span<const OptionSpec> resource_options() { return kResources; }

int threads_of(const Options& options) {
  const auto all = static_cast<std::int64_t>(std::max(1U, std::thread::hardware_concurrency()));
  return static_cast<int>(options.integer("threads", all, 1, kMostThreads));
}

toolkit::BadLimit bad_limit_of(const Options& options) {
  toolkit::BadLimit limit;
  if (!options.has("max-bad")) return limit;
  const std::string given = options.text("max-bad");
  std::string_view digits = given;
  limit.percent = digits.ends_with('%');
  if (limit.percent) digits.remove_suffix(1);
  if (!parse_whole(digits, limit.value) || !std::isfinite(limit.value) || limit.value < 0 ||
      (limit.percent && limit.value > 100) || (!limit.percent && limit.value != std::floor(limit.value)))
    throw ConfigError(
        fmt::format("--max-bad = {}; expected a number of files, or a share such as 5%", printable(given)));
  return limit;
}

void warn_of_bad(Console& console, std::span<const results::BadFile> bad) {
  for (const std::string& note : toolkit::notes_on_bad(bad)) console.warn(note);
}

ExitCode judge_bad(Console& console, const toolkit::BadLimit& limit, std::int64_t usable, std::int64_t bad) {
  if (!limit.exceeded({usable, bad})) return ExitCode::done;
  console.fail(
      {ExitCode::too_many_bad,
       fmt::format("{} of {} files were bad; expected at most {}{} (--max-bad); the outputs were written without them",
                   bad, usable + bad, limit.value, limit.percent ? "%" : "")});
  return ExitCode::too_many_bad;
}

}  // namespace shiftnorm::app
