#pragma once

#include <span>
#include <string>
#include <vector>

#include "options.hpp"
#include "shiftnorm/imaging/transform.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::app {

/// The data, and how it enters the network.
[[nodiscard]] std::span<const OptionSpec> data_options();

/// --reader and --layout. Errors  ConfigError naming the option.
void read_reader_options(const Options& options, imaging::DatasetOptions& dataset);
/// --classes; empty where it is not given. Errors  ConfigError naming the option.
[[nodiscard]] std::vector<std::string> classes_of(const Options& options);
[[nodiscard]] imaging::Pipeline preprocess_of(const Options& options);  ///< --preprocess, which is given
/// What one job of `recalibrate` and `evaluate` works on: data_options(), table_options(), network_options() and
/// resource_options().
[[nodiscard]] toolkit::SessionOptions session_options_of(const Options& options);

}  // namespace shiftnorm::app
