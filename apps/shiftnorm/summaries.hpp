#pragma once

#include <cstdint>
#include <string>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/experiment/results.hpp"

namespace shiftnorm::app {

/// What is recommended without labels, and the first reason, in one line; empty where it was switched off.
[[nodiscard]] std::string recommendation_line(const experiment::RunResults& results);
/// The lines that people see on stdout after `run` and `evaluate`: one row per mode, scores with their intervals.
[[nodiscard]] std::string table_of(const experiment::RunResults& results);

/// One row per mode and domain; empty without domains.
[[nodiscard]] std::string domain_table_of(const experiment::RunResults& results);

/// What became of a table of labels, on one line.
[[nodiscard]] std::string labels_line(const imaging::LabelCounts& counts);
/// Which output of the network stands for which class; empty without classes.
[[nodiscard]] std::string classes_line(const imaging::Dataset& data);

/// `metrics` of the JSON document of `evaluate`: value, low, high; `value` null with its `reason` where undefined.
[[nodiscard]] container::Json metrics_json(const experiment::ModeReport& report, bool labelled);

/// What `recalibrate` and `evaluate` print with --json.
struct JobDocument {
  std::int64_t images = 0, skipped = 0, bad = 0;
  double load = 0, adapt = 0, evaluate = 0, images_per_second = 0;
  bool too_many_bad = false;
  container::Json outputs = container::Json::object(), metrics = container::Json::object();
  std::optional<container::Json> settling;  ///< whether the images were enough, where something was measured
  container::Json domains;                  ///< a list; null: one domain
  container::Json findings;                 ///< a list; null: one label per image
};
/// Per domain its images, the policy used and its metrics; null without domains.
[[nodiscard]] container::Json domains_json(const experiment::RunResults& results);
/// Of each finding how many images tell it and its metrics; null where images have one label.
[[nodiscard]] container::Json findings_json(const experiment::ModeReport& report);
[[nodiscard]] container::Json job_json(JobDocument document);

/// Distances of layers as a table for people and as rows for --json; `stats diff` and `inspect --stats` print them.
struct DistanceView {
  std::string text;
  container::Json rows = container::Json::array();
};
[[nodiscard]] DistanceView view_of(const std::vector<stats::LayerDistance>& layers);

}  // namespace shiftnorm::app
