#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/report/report.hpp"
#include "shiftnorm/results/run_record.hpp"

/// What the runs of a sweep found out, side by side: one page, and its pictures as files.
namespace shiftnorm::report {

/// One run of a sweep.
struct SweepCell {
  std::vector<std::string> values;                        ///< one for each of SweepReport::keys, as people read them
  std::string folder;                                     ///< of the run, relative to the sweep's; empty: no link
  std::optional<results::RunRecord> record;               ///< absent: it is not finished
  std::optional<results::Recommendation> recommendation;  ///< without target labels
  double seconds = 0;                                     ///< loading, adapting and evaluating
  std::string reason;                                     ///< why it failed
};

/// A cell's findings.
void fill_cell(SweepCell& cell, const results::RunResults& results);

struct SweepReport {
  std::string name, program_version;
  std::vector<std::string> keys;  ///< key paths of the configuration, "data.target.shift"
  std::vector<SweepCell> cells;
  std::string command;  ///< that repeats it; no folders
};

/// One self-contained HTML page, as report_html() makes it. A key whose values are a name and a number each
/// ("fog: 3") is two things, the name and the number; two things that vary become the rows and columns of heat maps,
/// one for each mode; networks, or what is left, part the page; `seed` is averaged over. Runs are compared by accuracy,
/// or else by the first metric that they have, or without labels by their mean confidence.
[[nodiscard]] std::string sweep_html(const SweepReport& sweep);
/// The heat maps of that page.
[[nodiscard]] std::vector<Picture> sweep_pictures(const SweepReport& sweep);

}  // namespace shiftnorm::report
