#pragma once

#include <string>
#include <vector>

#include "shiftnorm/report/report.hpp"
#include "shiftnorm/results/sweep_results.hpp"

namespace shiftnorm::report {

using results::SweepCell;
using SweepReport = results::SweepResults;

/// One self-contained HTML page, as report_html() makes it. A key whose values are a name and a number each
/// ("fog: 3") is two things, the name and the number; two things that vary become the rows and columns of heat maps,
/// one for each mode; networks, or what is left, part the page; `seed` is averaged over. Runs are compared by accuracy,
/// or else by the first metric that they have, or without labels by their mean confidence.
[[nodiscard]] std::string sweep_html(const SweepReport& sweep);
/// The heat maps of that page.
[[nodiscard]] std::vector<Picture> sweep_pictures(const SweepReport& sweep);

}  // namespace shiftnorm::report
