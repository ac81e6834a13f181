#pragma once

#include <span>

#include "options.hpp"
#include "shiftnorm/pacs/pull.hpp"

namespace shiftnorm::app {

[[nodiscard]] std::span<const OptionSpec> pull_options();
/// Errors  ConfigError naming the option; MachineError where the folder for the objects cannot be made.
[[nodiscard]] pacs::PullOptions pull_options_of(const Options& options);

}  // namespace shiftnorm::app
