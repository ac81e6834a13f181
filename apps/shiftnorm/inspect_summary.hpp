#pragma once

#include <string>
#include <vector>

#include "inspect_findings.hpp"
#include "shiftnorm/imaging/transform.hpp"
#include "shiftnorm/report/data_report.hpp"

namespace shiftnorm::app {

/// The attributes of DICOM objects that summarise() counts.
[[nodiscard]] const std::vector<std::string>& counted_attributes();

/// What was found, counted. `domains`: more columns or attributes to count by. Values that tell a site are domain-1,
/// domain-2 .. unless `shown`.
[[nodiscard]] report::DataReport summarise(const imaging::Dataset& dataset, const Findings& findings,
                                           const std::vector<std::string>& domains, bool shown);

/// The intensities that a network gets, each channel by itself. Samples that turn out bad only here join report.bad.
void add_preprocessed(report::DataReport& report, const std::shared_ptr<const imaging::Dataset>& dataset,
                      const imaging::Pipeline& pipeline, int threads, const Progress& progress);

/// The first `most` good images after the VOI step of the pipeline, small. Images that may carry names in their pixels
/// (docs/reference/dicom.md#privacy) are counted instead.
void add_thumbnails(report::DataReport& report, const imaging::Dataset& dataset, const Findings& findings,
                    const imaging::Pipeline& pipeline, std::int64_t most);

}  // namespace shiftnorm::app
