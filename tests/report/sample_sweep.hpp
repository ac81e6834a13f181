#pragma once

#include "shiftnorm/report/sweep_report.hpp"

namespace shiftnorm::test {

/// Two networks, no shift and two shifts at two severities, three modes; accuracies of source, adabn, off in per cent:
///            none        fog 1       fog 2       noise 1     noise 2
///   small    90 86 10    80 82 10    60 70 10    40 70 10    20 60 10
///   large    88 88 10    78 84 10    58 72 10    38 72 10    18 62 10
/// `adabn` is recommended everywhere, but nothing for noise 2 of small, and source, in vain, for fog 2 of large.
[[nodiscard]] report::SweepReport sample_sweep();

/// A cell whose modes are `source` (policy source), `adabn` and `off` (disabled), with their accuracies.
[[nodiscard]] report::SweepCell sample_cell(std::vector<std::string> values, std::vector<double> accuracies);

}  // namespace shiftnorm::test
