#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/stats/settling.hpp"

namespace shiftnorm::experiment {

/// Whether enough images were measured (docs/reference/estimators.md#settling).
struct Settling {
  std::vector<stats::LayerSettling> layers;  ///< the measured ones; empty: nothing was measured
  std::optional<double> prior;  ///< prior_images of the blend that would be safer; null: see shrinking_prior
  std::int64_t images = 0;

  [[nodiscard]] const stats::LayerSettling* worst() const { return stats::least_settled(layers); }
  [[nodiscard]] bool settled() const { return worst() != nullptr && worst()->error < stats::kSettled; }
};

/// `measured` by a mode of this method on so many images, `source` as the file has it (empty if it has none).
[[nodiscard]] Settling settling_of(const adapt::Mode& mode, const stats::Statistics& measured,
                                   const stats::Statistics& source, std::int64_t images);

/// What a user should know about an estimate, one line each: that it has not settled, and what would be safer.
[[nodiscard]] std::vector<std::string> notes_on(const adapt::Mode& mode, const Settling& settling);

/// The same about its batches: those of one class alone, what batch-mean loses, one image's part in a ragged batch.
/// labels: one per image, -1 where there is none.
[[nodiscard]] std::vector<std::string> notes_on_batches(const adapt::Mode& mode, std::span<const std::int32_t> labels);

}  // namespace shiftnorm::experiment
