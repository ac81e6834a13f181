#pragma once

#include "figure.hpp"
#include "shiftnorm/report/data_report.hpp"

namespace shiftnorm::report {

/// Heights are square roots of the shares, so that a large background does not flatten the rest.
[[nodiscard]] Figure histogram_figure(const Distribution& distribution, std::string_view file);
/// The same as blocks of text, at most `bins`.
[[nodiscard]] std::string histogram_bars(const imaging::Histogram& histogram, std::size_t bins);

}  // namespace shiftnorm::report
