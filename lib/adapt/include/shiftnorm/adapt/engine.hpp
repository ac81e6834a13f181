#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/core/progress.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/graph/graph.hpp"
#include "shiftnorm/stats/statistics.hpp"

namespace shiftnorm::adapt {

/// Images come through this callback: `load(i, dst)` writes image i (planar, float, N left out). Thread-safe.
struct Images {
  std::size_t count = 0;
  std::function<void(std::size_t index, std::span<float> dst)> load;
};

struct EngineOptions {
  int threads = 1;
  std::uint64_t memory = 0;       ///< bytes of carried activations before they go to scratch; 0: half of what is free
  std::string scratch_directory;  ///< for what exceeds `memory`; empty: the system's temporary folder
  bool all_outputs = false;       ///< of networks with several: fill Outputs::others
};

/// Outputs of the network for every image, row-major [images, width], before any activation of ours.
struct Outputs {
  std::int64_t width = 0;
  std::vector<float> values;
  std::vector<Outputs> others = {};  ///< the network's second output and on, where the engine was asked for all
};

struct Timing {
  double adapt = 0, evaluate = 0;  ///< seconds
};

/// An image whose activations were not finite: it took no part in any statistics.
struct LeftOut {
  std::size_t image;   ///< index as given to `load`
  std::string reason;  ///< names the layer
};

/// What a mode did on one data set.
struct ModeResult {
  stats::Statistics statistics;    ///< what the policy leaves in the network; empty for `batch` and `instance`
  stats::Statistics measured;      ///< the target's, before the policy, with their sums; empty if none were needed
  std::optional<Outputs> outputs;  ///< of the images to evaluate, when there are any
  Timing seconds;
  std::int64_t adapted_images = 0;
  std::vector<LeftOut> left_out;  ///< of the images to adapt on; under `batch` and `instance` of those to evaluate
};

/// Images that get statistics of their own. The modes of a run's domains measure alike (measuring_of) and differ at
/// most in what follows: policy, prior_images, source_weight. Those that are not fixed() are the same for all.
struct Domain {
  std::vector<std::size_t> images;  ///< indices, at least one
  Mode mode;
};

struct DomainResults {
  std::vector<ModeResult> domains;  ///< in their order; their outputs and seconds are empty
  std::optional<Outputs> outputs;   ///< of all images, each under its domain's statistics
  Timing seconds;
};

/// For a run: the images that are measured are evaluated too.
struct SameImages {};
inline constexpr SameImages kSameImages;

/// What measuring takes, known before it starts: from the schedule that the work itself follows.
struct Cost {
  std::uint64_t carried_bytes = 0;  ///< for the images that are carried at once
  std::uint64_t moved_bytes = 0;    ///< written to that and read from it
  std::uint64_t local_bytes = 0;    ///< working memory of all threads
  bool spills = false;              ///< carried activations go to a scratch file
};

/// What a BatchNorm saw of one image: sums of (x - pivot) and its square over its values, per channel, the pivot being
/// the source's mean as a float.
struct SeenLayer {
  std::size_t layer;  ///< of Engine::batch_norms()
  std::vector<double> sum, square;
  std::int64_t values;
};
/// One image: every BatchNorm that the outputs depend on, in graph order, and the network's first output.
struct SeenImage {
  std::size_t image;
  std::span<const SeenLayer> layers;
  std::span<const float> output;
};

/// What a sweep saw with its first BatchNorms matched.
struct PartlyMatched {
  stats::Statistics measured;  ///< of every layer, behind the final ones before it
  Outputs outputs;
  std::vector<std::size_t> images;  ///< that took part
};

/// A bound graph compiled for one machine: measures BatchNorms and evaluates modes.
/// Errors  UnsupportedError naming the node that cannot be compiled.
class Engine {
 public:
  Engine(const graph::Graph& graph, const EngineOptions& options);
  ~Engine();

  [[nodiscard]] const std::vector<graph::BatchNorm>& batch_norms() const noexcept;
  [[nodiscard]] std::int64_t outputs() const noexcept;             ///< width of the first output
  [[nodiscard]] const stats::Statistics& source() const noexcept;  ///< the file's own statistics
  /// False: the file has none (they are NaN here), and modes that need them are refused.
  [[nodiscard]] bool source_known() const noexcept;
  /// Whether one set of statistics says how the mode's network is normalised: not under `batch` and `instance`, nor
  /// under `source` where the file's own runtime normalises by batches (graph::kByBatch).
  [[nodiscard]] bool fixed(const Mode& mode) const;

  /// The layers that a mode's rule chooses and an output depends on.
  [[nodiscard]] std::vector<bool> taking_part(const Mode& mode) const;

  /// The target statistics of a mode (before its policy): one entry per BatchNorm, in graph order.
  /// Layers outside the mode's rule carry the source's. Errors  as run(), and NonFinite for the first bad image.
  [[nodiscard]] stats::Statistics measure(const Mode& mode, const Images& adapt, const Progress& progress);

  /// Measures on `adapt`, applies the policy, evaluates on `evaluate` (null: not): run_domains() with all images as one
  /// domain. An image with activations that are not finite is left out and listed.
  /// reached: what an interrupted call for the same mode and images left here; it continues from there, to the same
  /// bits. After an exception it holds what was reached (empty if images had to be left out). Errors  ConfigError for a
  /// mode with problems(), one that needs source statistics that the file lacks, and groups
  ///         with one value per channel; FormatError without images, or if too many had to be left out; Interrupted.
  [[nodiscard]] ModeResult run(const Mode& mode, const Images& adapt, const Images* evaluate, const Progress& progress,
                               stats::Statistics* reached = nullptr);
  /// The same on one set of images, with the same results. Where the policy uses exactly what a layerwise sweep left
  /// behind, predictions are taken from that sweep.
  [[nodiscard]] ModeResult run(const Mode& mode, const Images& images, SameImages evaluate, const Progress& progress,
                               stats::Statistics* reached = nullptr);

  /// Of measuring, or of evaluating where each group has its own statistics; `outputs`: those under what was measured
  /// are wanted too. Errors  as run().
  [[nodiscard]] Cost cost(const Mode& mode, std::size_t images, bool outputs) const;

  /// Measures every domain apart from the others, all in one sweep, and evaluates each image under its own domain's
  /// statistics. Every image belongs to one domain. Each domain gets the bits of a run on its images alone.
  /// Errors  as run(); Error for domains that are not all images once, or do not measure alike.
  [[nodiscard]] DomainResults run_domains(std::span<const Domain> domains, const Images& images, bool evaluate,
                                          const Progress& progress);

  /// One image after the other, in order and never two at a time, under these statistics. After an image that is left
  /// out all begins anew: `start_again` is told. Returns those that are left out. Errors  as run().
  std::vector<LeftOut> each_image(const stats::Statistics& statistics, const Images& images, std::string_view stage,
                                  const std::function<void(const SeenImage&)>& seen,
                                  const std::function<void()>& start_again, const Progress& progress);

  /// A layerwise sweep in which the first `count` of the layers that take part in `mode` (of policy matched, with its
  /// mixture) are matched, and the others keep the source's statistics. Errors  as run().
  [[nodiscard]] PartlyMatched match_first(const Mode& mode, std::size_t count, const Images& images,
                                          const Progress& progress);

  /// Plain inference with the given statistics, as stored (one entry per BatchNorm).
  [[nodiscard]] Outputs infer(const stats::Statistics& statistics, const Images& images, const Progress& progress);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The batches of a mode with semantics or policy `batch`, in the order in which they are taken.
[[nodiscard]] std::vector<std::vector<std::size_t>> batches_of(const Mode& mode, std::size_t images);

/// The statistics that a bound graph holds for its BatchNorms.
[[nodiscard]] stats::Statistics source_statistics(const graph::Graph& graph,
                                                  const std::vector<graph::BatchNorm>& layers);

/// What the policy makes of source and target statistics. `images`: n of Schneider's lambda. Not for batch and
/// instance.
[[nodiscard]] stats::Statistics apply_policy(const Mode& mode, const std::vector<graph::BatchNorm>& layers,
                                             const stats::Statistics& source, const stats::Statistics& target,
                                             std::int64_t images);

}  // namespace shiftnorm::adapt
