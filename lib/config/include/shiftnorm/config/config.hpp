#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/core/names.hpp"
#include "shiftnorm/imaging/dataset.hpp"
#include "shiftnorm/imaging/shift.hpp"
#include "shiftnorm/imaging/transform.hpp"
#include "shiftnorm/metrics/intervals.hpp"

namespace shiftnorm::config {

/// What the network's output numbers are before any activation of ours.
enum class OutputKind { logits, probabilities, sigmoid };
inline constexpr auto kOutputKinds = names<Named<OutputKind>>(
    "outputs",
    {{"logits", OutputKind::logits}, {"probabilities", OutputKind::probabilities}, {"sigmoid", OutputKind::sigmoid}});

struct ModelConfig {
  std::filesystem::path checkpoint;
  std::string architecture;               ///< of zoo; empty: the file holds its graph
  std::filesystem::path graph;            ///< an ONNX model that describes it, instead
  std::string weights;                    ///< which of several sets of weights; empty: the usual one
  std::vector<std::string> allow_unused;  ///< patterns of tensors that no layer has to use
  std::optional<OutputKind> outputs;      ///< absent: inferred from the graph's last node
  std::filesystem::path reference;        ///< class-wise moments of training images (.bnref); empty: from data.source
};

/// A column or attribute whose values part the images into domains with statistics of their own.
struct DomainConfig {
  std::string key;
  std::int64_t min_images = 32;  ///< with fewer, a policy that trusts the target alone gives way to `blend` ..
  double prior_images = 16;      ///< .. in which the source counts as this many images
  bool shown = false;            ///< values that identify a site are printed
};

/// Where images are, how they are read, and what is done to them before the preprocessing.
struct DataConfig {
  std::filesystem::path path;  ///< WHERE: folder, table or array file, `#key` included
  imaging::DatasetOptions dataset{};
  std::vector<imaging::Shift> shifts{};  ///< synthetic changes, applied in order
  std::optional<DomainConfig> domain{};
};

enum class ProtocolKind { transductive, held_out, streaming };
inline constexpr auto kProtocolKinds =
    names<Named<ProtocolKind>>("protocol", {{"transductive", ProtocolKind::transductive},
                                            {"held_out", ProtocolKind::held_out},
                                            {"streaming", ProtocolKind::streaming}});
[[nodiscard]] constexpr std::string_view name_of(ProtocolKind kind) { return kProtocolKinds.name_of(kind); }

/// Which images are measured, and which scored.
struct ProtocolConfig {
  ProtocolKind kind = ProtocolKind::transductive;
  double adapt = 0.5;  ///< held_out: the share of images that is measured
  std::string by;      ///< held_out: what is never parted, "patient", "image" or a column; empty: patient where known
  std::int64_t batch = 64;  ///< streaming
};

struct EvaluateConfig {
  std::vector<std::string> metrics;    ///< of metrics::metric_table()
  std::vector<std::string> subgroups;  ///< columns or attributes whose values are scored separately
  /// What is resampled whole: "patient", "image" or a column; empty: patient where known, else image.
  std::string by;
  metrics::IntervalKind interval = metrics::IntervalKind::bootstrap;
  std::int64_t resamples = 2000;
  double level = 0.95;
  bool label_free = true;  ///< scores without labels, and the recommendation from them
};

struct ExportConfig {
  std::string mode;            ///< the name of one of the modes
  std::filesystem::path path;  ///< relative: to the run folder
  bool small_cohort = false;   ///< from however few patients
  bool to_inference = false;   ///< ONNX: with its layers set from training to inference mode
};

/// An experiment, checked: every default is spelled out and every path resolved.
struct Config {
  std::string name;
  std::uint64_t seed = 0;
  ModelConfig model;
  std::optional<imaging::Pipeline> preprocess;
  std::optional<DataConfig> source;
  DataConfig target;
  std::vector<std::string> classes;  ///< in the order of the network's outputs; empty: the sorted folder names
  ProtocolConfig protocol;
  std::vector<adapt::Mode> modes;
  EvaluateConfig evaluate;
  std::optional<ExportConfig> exported;
  std::vector<std::string> notes;  ///< on how it was written, one line each
};

struct ConfigOptions {
  std::filesystem::path root;     ///< inputs are relative to it; empty: to the YAML's folder
  std::vector<std::string> sets;  ///< `a.b=c`; paths in them are relative to the working directory
};

/// The target, then the source where there is one.
[[nodiscard]] std::vector<DataConfig*> data_sets(Config& config);

/// What is scored when nobody says: of one label per image, or of several findings.
[[nodiscard]] std::vector<std::string> default_metrics(bool findings);

/// Errors  ConfigError `file.yaml:LINE:COLUMN: key.path = found; expected` (or `--set key.path: ...`).
///         Unknown keys name the nearest.
///         Keys given twice and impossible modes are refused.
[[nodiscard]] Config parse_config(std::string_view text, const std::string& file_name, const ConfigOptions& options);

/// The same experiment with every default written out. Relative input paths are rewritten so that they hold from
/// `folder`, the run folder that keeps the text.
[[nodiscard]] std::string resolved_yaml(const Config& config, const std::filesystem::path& folder);
/// The same with every input path as `rewritten` gives it.
[[nodiscard]] std::string yaml_with_paths(
    const Config& config, const std::function<std::filesystem::path(const std::filesystem::path&)>& rewritten);
/// The same with every input path cut to its last part, for pages that are passed on: folders may carry names of
/// people.
[[nodiscard]] std::string shareable_yaml(const Config& config);
/// The same, and `kept-back` for all that may name a patient: where the data and their tables lie, and values of
/// columns and attributes but those that imaging::names_nobody().
[[nodiscard]] std::string anonymous_yaml(const Config& config);

/// The JSON Schema of an experiment's YAML, for editors: from the tables that read it. configs/schema.json is this
/// text.
[[nodiscard]] std::string schema_json();

/// `a.b.c` and the value of every leaf of a YAML; lists of values are joined by ", ".
[[nodiscard]] std::vector<std::pair<std::string, std::string>> settings_of(std::string_view yaml);

/// A project's own folder, beside its key: the whole configurations of runs on data that identify patients. Such a file
/// runs as if it lay in the project's folder.
inline constexpr std::string_view kProjectFolder = ".shiftnorm", kKeptRuns = "runs";

/// A preprocessing by preset name, or by the YAML of its steps (a list, as under `preprocess:`).
[[nodiscard]] imaging::Pipeline parse_pipeline(std::string_view yaml, const std::string& file_name);
/// A preset by its name, or the steps that a YAML file holds.
/// Errors  ConfigError if it is neither, with the presets; as parse_pipeline.
[[nodiscard]] imaging::Pipeline find_pipeline(const std::string& preset_or_file);
/// The steps as YAML that parse_pipeline reads again.
[[nodiscard]] std::string pipeline_yaml(const imaging::Pipeline& pipeline);

/// One class name per line, blank lines left out, in the order of the network's outputs.
[[nodiscard]] std::vector<std::string> read_classes(const std::filesystem::path& path);

/// Fills in what depends on the rest: semantics `batch` shuffles with the run's seed unless the user said how; policy
/// `batch` keeps arrival order (docs/reference/estimators.md#estimators).
void settle_shuffle(adapt::Mode& mode, std::uint64_t seed);

}  // namespace shiftnorm::config
