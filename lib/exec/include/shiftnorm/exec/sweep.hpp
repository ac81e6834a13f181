#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/progress.hpp"
#include "shiftnorm/exec/plan.hpp"
#include "shiftnorm/stats/channel_moments.hpp"
#include "shiftnorm/stats/spread.hpp"

namespace shiftnorm::exec {

/// An activation was infinite or not a number where a BatchNorm measures.
class NonFinite : public Error {
 public:
  NonFinite(const std::string& layer, std::int64_t channel, std::size_t image_index);
  std::size_t image;   ///< index as given to `load`
  std::string reason;  ///< the same without the image
};

/// Moments of one BatchNorm set over one group, pooled over its uses.
struct LevelMoments {
  std::size_t set = 0;
  stats::ChannelMoments moments;
  stats::Spread spread;  ///< of single images; one applied to several values counts as several
};

/// What to sweep: each group's images are carried level by level, their moments pooled, the level finalized, and on.
struct SweepRequest {
  std::vector<std::vector<std::size_t>> groups;  ///< image indices; groups do not see each other
  std::vector<std::int64_t> levels;              ///< per set: its level, from 1; 0: not measured
  bool layerwise = true;                         ///< false: everything is measured in one pass under the given affines
  std::vector<Affine> affines;                   ///< per set, to begin with
  std::vector<std::vector<float>> pivots;        ///< per set, one per channel: a value near the expected mean

  /// Writes image `index` as planar floats. Called from worker threads.
  std::function<void(std::size_t index, std::span<float> dst)> load;
  /// Called once per group and level; changes the affines of that level's sets for this group, and may keep the
  /// moments. Different groups may call it at the same time.
  std::function<void(std::size_t group, std::int64_t level, std::span<LevelMoments> moments, std::span<Affine> affines)>
      finalize_level;
  /// Called once per group, in the order of groups, never twice at a time.
  std::function<void(std::size_t group)> group_done;
  /// Output `which` of image `index`, row-major; empty: outputs are not computed. Called from worker threads.
  std::function<void(std::size_t index, std::size_t which, std::span<const float> output)> output;
  std::size_t outputs = 1;           ///< how many of the network's outputs are wanted, from the first
  std::string_view stage = "adapt";  ///< name for progress
};

struct SweepOptions {
  int threads = 1;
  std::uint64_t memory = 0;  ///< bytes of carried activations before a scratch file backs them; 0: half of what is free
  std::string scratch_directory;  ///< empty: the system's temporary folder
};

/// What a sweep will take, known before it starts.
struct SweepEstimate {
  std::uint64_t carried_bytes = 0;  ///< for all images carried at once
  std::uint64_t local_bytes = 0;    ///< working memory of all threads
  std::uint64_t moved_bytes = 0;    ///< of carried activations written and read in the whole sweep
  bool spills = false;              ///< carried activations go to a scratch file
};

/// Runs sweeps of one plan on a fixed team of threads.
/// Results have the same bits for any number of threads and any order of images within a group.
class Sweeper {
 public:
  Sweeper(std::shared_ptr<const Plan> plan, SweepOptions options);
  ~Sweeper();

  /// Errors  NonFinite; MachineError when memory or scratch space is refused; Interrupted; what the callbacks throw.
  void run(const SweepRequest& request, const Progress& progress);
  [[nodiscard]] SweepEstimate estimate(const SweepRequest& request) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shiftnorm::exec
