#pragma once

#include <string>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/imaging/data_report.hpp"

namespace shiftnorm::report {

using imaging::DataReport, imaging::Distribution, imaging::Tally, imaging::Thumbnail;

/// The document of `inspect DATA --json`: {"schema": 1, "counts": {.., one object per tally}, "labels", "bad",
/// "skipped", "histograms": {"before": [..], "after": [..]}, "notes", "fingerprint"}.
[[nodiscard]] container::Json data_json(const DataReport& report);

/// For a terminal: counts, reasons, and each distribution as one line of bars.
[[nodiscard]] std::string data_text(const DataReport& report);

/// One self-contained HTML page, as report_html() makes it.
[[nodiscard]] std::string data_html(const DataReport& report);

}  // namespace shiftnorm::report
