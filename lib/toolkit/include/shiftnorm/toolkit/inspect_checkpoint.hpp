#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/stats/distance.hpp"
#include "shiftnorm/stats/statistics_file.hpp"
#include "shiftnorm/toolkit/events.hpp"
#include "shiftnorm/toolkit/restore.hpp"

namespace shiftnorm::toolkit {

/// A BatchNorm as far as a file tells; level, epsilon and momentum come from an architecture.
struct FileLayer {
  std::string name;
  std::int64_t channels = 0;
  std::optional<std::int64_t> level;
  std::optional<double> epsilon, momentum;
  bool affine = false, statistics = true, folded = false;
  bool training = false;  ///< the file's runtime ignores its statistics

  [[nodiscard]] std::string statistics_text() const;  ///< "present", "absent" or "folded"
};

/// By the names of its tensors alone, where nothing tells the network: what has a running mean and variance.
[[nodiscard]] std::vector<FileLayer> file_layers(const formats::Checkpoint& checkpoint);
/// Those of the network, with those that were folded away.
[[nodiscard]] std::vector<FileLayer> file_layers(RestoredModel model);

/// From the checkpoint's own statistics to those of a file, per layer.
/// Errors  ConfigError where the checkpoint has none, and for statistics of another network.
[[nodiscard]] std::vector<stats::LayerDistance> drift_to(const RestoredModel& model, const stats::StatisticsFile& file);

/// The provenance that lies beside an adapted file; null where nothing does. What is there and tells of another file,
/// or cannot be read, is a warning.
[[nodiscard]] container::Json provenance_beside(const std::filesystem::path& file,
                                                const formats::Checkpoint& checkpoint, const Events& events);

/// What `inspect --json` says of a file: format, hash, counts, its BatchNorms, sets of weights, and what is carried
/// over or was not read.
[[nodiscard]] container::Json checkpoint_json(const formats::Checkpoint& checkpoint, std::int64_t parameters,
                                              const std::vector<FileLayer>& layers);

}  // namespace shiftnorm::toolkit
