#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/results/results.hpp"
#include "shiftnorm/stats/reference.hpp"
#include "shiftnorm/stats/statistics_file.hpp"

/// The documents of single jobs.
namespace shiftnorm::results {

/// What `recalibrate` and `evaluate` found.
struct JobDocument {
  std::int64_t images = 0, skipped = 0, bad = 0;
  double load = 0, adapt = 0, evaluate = 0, images_per_second = 0;
  bool too_many_bad = false;
  container::Json outputs = container::Json::object(), metrics = container::Json::object();
  std::optional<container::Json> settling;  ///< whether the images were enough, where something was measured
  container::Json domains;                  ///< a list; null: one domain
  container::Json findings;                 ///< a list; null: one label per image
};
[[nodiscard]] container::Json job_json(JobDocument document);

/// Value, low, high; `value` null with its `reason` where undefined. Without labels confidence and entropy.
[[nodiscard]] container::Json metrics_json(const ModeReport& report, bool labelled);
/// Per domain its images, the policy used and its metrics; null without domains.
[[nodiscard]] container::Json domains_json(const RunResults& results);
/// For each finding how many images state it and its metrics; null where images have one label.
[[nodiscard]] container::Json findings_json(const ModeReport& report);
/// A statistics file (.bnstats): how it was measured, and of each layer its values with `error`, what the estimate may
/// be off by in standard deviations.
[[nodiscard]] container::Json statistics_json(const stats::StatisticsFile& file);
/// A reference (.bnref): how it was made, and of each class its images and the network's own mean probability of it.
[[nodiscard]] container::Json reference_json(const stats::Reference& reference);
/// Distances of layers.
[[nodiscard]] container::Json distances_json(const std::vector<stats::LayerDistance>& layers);

}  // namespace shiftnorm::results
