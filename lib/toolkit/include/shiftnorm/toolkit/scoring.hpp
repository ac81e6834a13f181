#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/config/config.hpp"
#include "shiftnorm/results/results.hpp"
#include "shiftnorm/toolkit/groups.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

/// Images that are scored separately, by their place among all that are scored.
struct Subgroup {
  std::string column, name;
  std::vector<std::size_t> images;
};

/// What every mode is scored against.
struct Scorer {
  config::EvaluateConfig evaluate;
  std::uint64_t seed = 0;  ///< of the resamples: the same for every mode, so that pairs stay pairs
  config::OutputKind outputs = config::OutputKind::logits;
  std::vector<std::int32_t> labels;  ///< per image, -1: none; only labelled images are scored
  int threads = 1;
  bool classifies = true;               ///< false: outputs are not class scores, so that nothing is scored
  std::vector<std::int8_t> findings{};  ///< [images, outputs] of imaging::Sample, instead of labels; empty: none
  Groups clusters{};                    ///< what is resampled whole; not known: every image separately
  std::vector<Subgroup> subgroups{};
  std::vector<std::string> finding_names{};

  /// Everything a mode's outputs say: scores where there are labels, confidence and entropy without them too.
  [[nodiscard]] results::ModeReport report(const adapt::Mode& mode, const adapt::ModeResult& result) const;
  /// Fills `versus_source` of a report. With clusters of several images only the clustered bootstrap knows that they
  /// are no separate evidence; else McNemar for accuracy, DeLong for the AUROC of two classes, and the paired
  /// bootstrap.
  void compare(results::ModeReport& report, const results::ModeReport& source) const;
  /// The same scorer for some of the images, by their places; subgroups are left out.
  [[nodiscard]] Scorer on(std::span<const std::size_t> images) const;
  /// So many images have a label, or a finding that is known.
  [[nodiscard]] std::vector<std::size_t> labelled() const;
};

/// For images of a session (of the store): labels, clusters and subgroups as `evaluate` says. Fills interval_by and
/// clusters of the results. Errors  ConfigError for `by: patient` where patients are not known.
[[nodiscard]] Scorer scorer_of(const Session& session, const std::vector<std::size_t>& images,
                               const config::EvaluateConfig& evaluate, std::uint64_t seed, int threads, bool show_names,
                               results::RunResults& results);

}  // namespace shiftnorm::toolkit
