#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/config/config.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/progress.hpp"
#include "shiftnorm/results/results.hpp"
#include "shiftnorm/toolkit/events.hpp"
#include "shiftnorm/toolkit/run.hpp"

namespace shiftnorm::toolkit {

/// What a data set holds after `where` and `limit`, as listed: no image has been decoded.
struct DataPlan {
  std::int64_t images = 0, skipped = 0, labelled = 0;
  std::optional<std::int64_t> patients;                       ///< where they are identified
  std::vector<std::pair<std::string, std::int64_t>> classes;  ///< in the order of the outputs; findings: those present
  bool tells_patients = false;                                ///< or may: the run folder then names no path of it
  std::vector<std::string> notes;
};

/// What a mode will do.
struct ModePlan {
  adapt::Mode mode;
  std::int64_t measured = 0, evaluated = 0;  ///< images that it carries through the network, once for each time
  results::ReusedFrom reused;                ///< what it will reuse; two ways to equal statistics show only later
  adapt::Cost cost;
  double adapt_seconds = 0, evaluate_seconds = 0;
};

struct RunPlan {
  std::string model_file, architecture;
  std::vector<std::string> assumptions;  ///< about the network: RestoredModel::assumed()
  std::int64_t batchnorms = 0, levels = 0, parameters = 0;
  DataPlan target;
  std::optional<DataPlan> source;
  std::int64_t adapt_images = 0, evaluate_images = 0;  ///< held_out: about
  std::vector<ModePlan> modes;
  std::int64_t probe_images = 0;  ///< that the seconds come from
  double load_seconds = 0;
  std::vector<std::string> notes;

  /// What may name a patient stays with the project's key: the whole configuration is kept there.
  [[nodiscard]] bool keeps_config() const;
  [[nodiscard]] double network_seconds() const;
  [[nodiscard]] adapt::Cost largest() const;  ///< each of its fields over all modes
};

/// Lists the data, restores the network and carries a few images through it. Scores and the report take time of their
/// own. Errors  as run_experiment(), for what those few images show.
[[nodiscard]] RunPlan plan_run(const config::Config& config, const RunOptions& options, const Progress& progress);

/// The checkpoint and the target's data, as far as they are not there yet.
[[nodiscard]] std::vector<std::filesystem::path> missing_inputs(const config::Config& config);
/// plan_run(), its assumptions and notes told to `events`; nothing where inputs are missing.
[[nodiscard]] std::optional<RunPlan> plan_if_there(const config::Config& config, const RunOptions& options,
                                                   const Events& events);
/// What `run --dry-run --json` says of it: model, data, protocol, modes with images, memory (bytes) and seconds, and
/// the files that the run writes into `folder`.
[[nodiscard]] container::Json plan_json(const config::Config& config, const RunPlan& plan,
                                        const std::filesystem::path& folder);

/// Keys for data that name patients, where the project has none yet: opening the data would make it, and what a plan
/// tells does not depend on it. Gone at the end.
class StandInKeys {
 public:
  StandInKeys() = default;
  ~StandInKeys();
  StandInKeys(const StandInKeys&) = delete;
  StandInKeys& operator=(const StandInKeys&) = delete;
  void stand_in(config::Config& config);  ///< errors  MachineError where no temporary folder can be made

 private:
  std::filesystem::path folder_;  ///< made when it is needed
};

/// The note before a measurement whose carried activations go to a scratch file; nothing if they do not. The time is
/// that of a few of the images, without waiting for the disk.
[[nodiscard]] std::optional<std::string> note_on_spill(adapt::Engine& engine, const adapt::Mode& mode,
                                                       const adapt::Images& images, bool outputs,
                                                       const Progress& progress);

[[nodiscard]] std::string in_bytes(std::uint64_t bytes);  ///< "31.2 MB"
[[nodiscard]] std::string in_time(double seconds);        ///< "0:07", "1:02:03"

}  // namespace shiftnorm::toolkit
