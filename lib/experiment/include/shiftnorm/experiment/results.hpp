#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/experiment/advice.hpp"
#include "shiftnorm/experiment/recommend.hpp"
#include "shiftnorm/imaging/dataset.hpp"
#include "shiftnorm/metrics/metrics.hpp"
#include "shiftnorm/stats/distance.hpp"

namespace shiftnorm::experiment {

struct MetricResult {
  std::string name;
  metrics::Score score;
  std::optional<metrics::Interval> interval;
};

/// Comparison of one mode with `source` on the same images.
struct Comparison {
  std::string metric;
  double difference = 0;
  std::optional<metrics::Interval> interval;
  std::string test;  ///< "mcnemar" for accuracy, "bootstrap" otherwise
  std::optional<double> p;
};

/// What a mode did to the images of one domain.
struct DomainReport {
  std::string name;
  std::int64_t images = 0;
  adapt::Mode mode;  ///< as used: a domain with few images falls back to a blend
  bool fell_back = false;
  std::vector<MetricResult> metrics;
  double mean_confidence = 0, mean_entropy = 0;
  std::vector<stats::LayerDistance> drift;
};

struct ModeReport {
  adapt::Mode mode;
  std::vector<MetricResult> metrics;  ///< empty without labels
  std::vector<Comparison> versus_source;
  std::vector<metrics::ClassScores> per_class;
  std::vector<std::int64_t> confusion;  ///< [truth, predicted]
  std::vector<metrics::ReliabilityBin> reliability;
  double adapt_seconds = 0, evaluate_seconds = 0, images_per_second = 0;
  std::vector<stats::LayerDistance> drift;  ///< from the source to the target, per layer; empty if none was measured
  Settling settling;                        ///< whether the images were enough; no layers if nothing was measured
  std::string note;                         ///< e.g. that `batch` makes an output depend on its batch mates
  std::vector<double> probabilities;        ///< [images, classes]: what predictions.csv lists
  double mean_confidence = 0, mean_entropy = 0;
  std::optional<LabelFree> label_free;
  std::vector<DomainReport> domains;  ///< empty unless the data are parted into domains
};

/// Everything a run found out: what results.json, predictions.csv and report.html are written from.
struct RunResults {
  std::string name, protocol = "transductive", program_version, instruction_set, config_yaml, command;
  std::uint64_t seed = 0;
  std::string model_sha256, model_file, architecture, preprocess, preprocess_sha256, fingerprint;
  std::int64_t batchnorms = 0, levels = 0, parameters = 0, images = 0, skipped = 0;
  std::vector<imaging::Bad> bad;
  std::vector<std::string> classes, ids;
  std::string domain_key;                            ///< empty: one domain
  std::vector<std::int32_t> labels;                  ///< -1: none
  std::optional<imaging::LabelCounts> label_counts;  ///< where a table gave them
  std::optional<std::int64_t> patients;              ///< where every image tells its own
  double load_seconds = 0, level = 0.95;
  std::int64_t resamples = 0;
  std::vector<ModeReport> modes;
  std::optional<Recommendation> recommendation;  ///< without target labels; absent: not asked for
  std::string exported_mode, exported_file;
};

}  // namespace shiftnorm::experiment
