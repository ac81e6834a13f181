#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shiftnorm/core/library.hpp"
#include "shiftnorm/metrics/intervals.hpp"
#include "shiftnorm/results/mixture.hpp"
#include "shiftnorm/results/mode_facts.hpp"
#include "shiftnorm/results/recommendation.hpp"
#include "shiftnorm/results/settling.hpp"
#include "shiftnorm/stats/distance.hpp"

namespace shiftnorm::results {

/// An input that could not be used.
struct BadFile {
  std::string id, reason;
  std::string kind = {};                     ///< DICOM: the reason's name, such as "truncated"
  std::optional<std::uint64_t> offset = {};  ///< DICOM: where in the object, in bytes
};

/// How a table's labels met the images.
struct LabelCounts {
  std::string file;     ///< without folders; the attribute's keyword
  std::string by = {};  ///< which column names the images, and how; empty: as its name says
  std::int64_t matched = 0, images_without_label = 0, labels_without_image = 0, ambiguous = 0;
};

struct MetricResult {
  std::string name;
  metrics::Score score;
  std::optional<metrics::Interval> interval;
  std::string method = {};      ///< of the interval, as in metrics::IntervalEstimate
  std::string reason = {};      ///< why there is no interval
  bool within_classes = false;  ///< resamples kept the number of images of each class
};

/// Comparison of one mode with `source` on the same images.
struct Comparison {
  std::string metric;
  double difference = 0;  ///< NaN: undefined
  std::optional<metrics::Interval> interval;
  std::string test;  ///< "mcnemar", "delong", "bootstrap", "clustered bootstrap"; empty without p
  std::optional<double> p;
  std::string method = {};  ///< of the interval
  std::string reason = {};  ///< why there is no interval, or no difference
  bool within_classes = false;
};

/// What a mode did to the images of one domain.
struct DomainReport {
  std::string name;
  std::int64_t images = 0;    ///< that are scored
  std::int64_t measured = 0;  ///< that its statistics are of; 0: nothing was measured
  ModeFacts mode;             ///< as used: a domain with few images to measure falls back to a blend
  bool fell_back = false;
  std::vector<MetricResult> metrics;
  double mean_confidence = 0, mean_entropy = 0;
  std::vector<stats::LayerDistance> drift;
  Settling settling;                    ///< of its own images; no layers if nothing was measured
  std::optional<MixtureFacts> mixture;  ///< of policy matched
};

/// How images with one value of a column fared.
struct SubgroupReport {
  std::string column, name;
  std::int64_t images = 0, labelled = 0;
  std::vector<MetricResult> metrics;
};

/// One of several findings, over the images of which it is known.
struct FindingReport {
  std::string name;
  std::int64_t known = 0, positive = 0;
  std::vector<MetricResult> metrics;
};

/// One batch of a stream: shares of its labelled images that were right before and after it was measured.
struct StreamBatch {
  std::int64_t images = 0, labelled = 0;
  double before = 0, after = 0;
};

/// What a mode did not compute itself, by the name of the mode that did ("adabn", "adabn of run 0123456789ab"): equal
/// work is done once. Empty: its own. JSON calls it `taken_over`, as keys are stable.
struct ReusedFrom {
  std::string adapt, evaluate;
};

struct ModeReport {
  ModeFacts mode;
  std::vector<MetricResult> metrics;  ///< empty without labels
  std::vector<Comparison> versus_source;
  std::vector<metrics::ClassScores> per_class;
  std::vector<std::int64_t> confusion;  ///< [truth, predicted]
  std::vector<metrics::ReliabilityBin> reliability;
  double adapt_seconds = 0, evaluate_seconds = 0;  ///< of what was not reused
  double images_per_second = 0;                    ///< 0: nothing was computed
  ReusedFrom reused;
  std::vector<stats::LayerDistance> drift;  ///< from the source to the target, per layer; empty if none was measured
  Settling settling;                        ///< whether the images were enough; no layers if nothing was measured
  std::optional<MixtureFacts> mixture;      ///< of policy matched
  std::string note;                         ///< e.g. that `batch` makes an output depend on its batch mates
  std::vector<double> probabilities;        ///< [images, classes]: what predictions.csv lists
  double mean_confidence = 0, mean_entropy = 0;
  std::optional<LabelFree> label_free;
  std::vector<DomainReport> domains;  ///< empty unless the data are parted into domains
  std::vector<SubgroupReport> subgroups;
  std::vector<FindingReport> findings;  ///< where images have several; `metrics` are then means over them
  /// Streaming: of the same images, each predicted once its batch had been measured too; one or none. What is here
  /// beside it is of predictions before.
  std::vector<ModeReport> after;
  std::vector<StreamBatch> stream;
};

/// Which images a held-out run measured, and which it scored.
struct SplitFacts {
  std::string by;
  double share = 0;
  std::int64_t adapt_images = 0, evaluate_images = 0;
  std::optional<std::int64_t> adapt_patients, evaluate_patients;
};

/// Which mode target labels show to be the one to use.
struct Verdict {
  std::optional<std::string> mode;   ///< absent: it cannot be determined
  std::vector<std::string> because;  ///< sentences
  std::string confidence;            ///< "high", "low", "cannot tell"
};

/// Everything a run found out: what results.json, predictions.csv and report.html are written from.
struct RunResults {
  std::string id;  ///< address by content (toolkit::run_key); empty: not known
  std::string name, protocol = "transductive", program_version, instruction_set, config_yaml, command;
  std::vector<std::pair<std::string, std::string>> settings;  ///< every key path of config_yaml with its value
  std::vector<Library> libraries;                             ///< that computed
  std::uint64_t seed = 0;
  std::string model_sha256, model_file, architecture, preprocess, preprocess_sha256, fingerprint;
  std::vector<std::string> assumptions;  ///< about the network: what no file states
  std::int64_t batchnorms = 0, levels = 0, parameters = 0, images = 0, skipped = 0;
  std::vector<BadFile> bad;
  std::vector<std::string> classes, ids;  ///< ids: of images that are scored
  std::string
      maps;  ///< the shape of an output that is not a vector of class scores, so that nothing is scored; else empty
  std::string domain_key;             ///< empty: one domain
  std::vector<std::int32_t> labels;   ///< of images that are scored; -1: none
  std::vector<std::int8_t> findings;  ///< [ids, classes], 1: present, 0: absent, -1: not known; empty: one label each
  std::optional<LabelCounts> label_counts;  ///< where a table gave them
  std::optional<std::int64_t> labelled;     ///< images, scored or not; absent: as `labels` and `findings` say
  std::optional<std::int64_t> patients;     ///< where they are identified
  std::int64_t repeated = 0;                ///< images whose pixels an earlier one has
  double load_seconds = 0, level = 0.95;
  std::int64_t resamples = 0;
  metrics::IntervalKind interval = metrics::IntervalKind::bootstrap;
  std::string interval_by = "image";  ///< what was resampled whole
  std::int64_t clusters = 0;          ///< so many of them were scored
  std::optional<SplitFacts> split;    ///< held_out
  std::int64_t stream_batch = 0;      ///< streaming
  std::vector<ModeReport> modes;
  std::optional<Verdict> verdict;
  std::optional<Recommendation> recommendation;  ///< without target labels; absent: not asked for
  std::string exported_mode, exported_file;
};

}  // namespace shiftnorm::results
