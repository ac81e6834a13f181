#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "shiftnorm/core/progress.hpp"
#include "shiftnorm/toolkit/inspect_data.hpp"

/// The parts of inspect_data().
namespace shiftnorm::toolkit {

/// Decodes every sample with `threads` threads; the result does not depend on their number. `root`: the folder that
/// ids are relative to. Hashes of image files are only made where `pixels`.
[[nodiscard]] Findings examine(const imaging::Dataset& dataset, const std::filesystem::path& root, bool pixels,
                               int threads, const Progress& progress);

/// The value of a coded attribute (VR CS), "unknown" where there is none. Free text in its place may name anything: it
/// reads "no code".
[[nodiscard]] std::string code_of(const imaging::Sample& sample, const std::string& attribute);

/// The attributes of DICOM objects that summarise() counts.
[[nodiscard]] const std::vector<std::string>& counted_attributes();
/// What was found, counted. `domains`: more columns or attributes to count by. Values that tell a site are domain-1,
/// domain-2 .. unless `shown`.
[[nodiscard]] imaging::DataReport summarise(const imaging::Dataset& dataset, const Findings& findings,
                                            const std::vector<std::string>& domains, bool shown);

/// The intensities that a network gets, each channel by itself. Samples that turn out bad only here join report.bad.
void add_preprocessed(imaging::DataReport& report, const std::shared_ptr<const imaging::Dataset>& dataset,
                      const imaging::Pipeline& pipeline, int threads, const Progress& progress);
/// The first `most` good images after the VOI step of the pipeline, small.
void add_thumbnails(imaging::DataReport& report, const imaging::Dataset& dataset, const Findings& findings,
                    const imaging::Pipeline& pipeline, std::int64_t most);

}  // namespace shiftnorm::toolkit
