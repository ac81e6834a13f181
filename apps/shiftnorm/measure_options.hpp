#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "console.hpp"
#include "options.hpp"
#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/config/config.hpp"

namespace shiftnorm::app {

/// How a network is measured, and by which domains.
[[nodiscard]] std::span<const OptionSpec> measure_options();

[[nodiscard]] std::uint64_t seed_of(const Options& options);
/// The mode that --policy (or --mode) and the measuring options make; `policy_option` names the option.
[[nodiscard]] adapt::Mode mode_of(const Options& options, std::string_view policy_option, std::string_view absent);
/// --domain and what belongs to it.
[[nodiscard]] std::optional<config::DomainConfig> domain_of(const Options& options);
/// A warning for whoever uses a policy's former name.
void tell_of_policy_name(const Options& options, std::string_view policy_option, Console& console);

}  // namespace shiftnorm::app
