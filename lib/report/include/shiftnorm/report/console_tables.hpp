#pragma once

#include <string>
#include <vector>

#include "shiftnorm/results/results.hpp"
#include "shiftnorm/results/sweep_results.hpp"

/// What people read in a terminal.
namespace shiftnorm::report {

/// What is recommended without labels, and the first reason, in one line; empty where it was switched off.
[[nodiscard]] std::string recommendation_line(const results::RunResults& results);
/// One row per mode: scores with their intervals; below, the reasons for what is missing.
[[nodiscard]] std::string table_of(const results::RunResults& results);
/// One row per run of a sweep, one column per mode: the first metric. Empty where no run is finished.
[[nodiscard]] std::string table_of(const results::SweepResults& sweep);
/// One row per mode and domain; empty without domains.
[[nodiscard]] std::string domain_table_of(const results::RunResults& results);

/// What became of a table of labels, on one line.
[[nodiscard]] std::string labels_line(const results::LabelCounts& counts);
/// Which output of the network is which class; empty without classes.
[[nodiscard]] std::string classes_line(const std::vector<std::string>& classes);

/// One row per layer.
[[nodiscard]] std::string distance_table(const std::vector<stats::LayerDistance>& layers);

}  // namespace shiftnorm::report
