#pragma once

#include <cstdint>
#include <span>

#include "console.hpp"
#include "options.hpp"
#include "shiftnorm/toolkit/run.hpp"

namespace shiftnorm::app {

/// --memory and --max-bad, of every command that reads images.
[[nodiscard]] std::span<const OptionSpec> resource_options();

[[nodiscard]] int threads_of(const Options& options);
[[nodiscard]] toolkit::BadLimit bad_limit_of(const Options& options);

/// Says on stderr which files were bad, the first few by name.
void warn_of_bad(Console& console, std::span<const results::BadFile> bad);
/// Exit code 4 with its line when too many were bad, else 0.
[[nodiscard]] ExitCode judge_bad(Console& console, const toolkit::BadLimit& limit, std::int64_t usable,
                                 std::int64_t bad);

}  // namespace shiftnorm::app
