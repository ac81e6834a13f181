#pragma once

#include <span>

#include "console.hpp"
#include "options.hpp"
#include "shiftnorm/imaging/dataset.hpp"
#include "shiftnorm/toolkit/output_files.hpp"

namespace shiftnorm::app {

using toolkit::OutputFiles;

/// Labels and columns joined to the data, and what images are called.
[[nodiscard]] std::span<const OptionSpec> table_options();

/// What table_options() say. Errors  ConfigError naming the option.
void read_table_options(const Options& options, imaging::DatasetOptions& dataset);

/// --identify: checked before the work, filled after it.
void expect_identities(const Options& options, OutputFiles& files);
void set_identities(const Options& options, const imaging::Dataset& data, OutputFiles& files, Console& console);

}  // namespace shiftnorm::app
