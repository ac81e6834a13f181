#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/stats/settling.hpp"

namespace shiftnorm::results {

/// Whether enough images were measured (docs/reference/estimators.md, "Settling").
struct Settling {
  std::vector<stats::LayerSettling> layers;  ///< the measured ones; empty: nothing was measured
  std::optional<double> prior;  ///< prior_images of the blend that would be safer; null: see shrinking_prior
  std::int64_t images = 0;

  [[nodiscard]] const stats::LayerSettling* worst() const { return stats::least_settled(layers); }
  [[nodiscard]] bool settled() const { return worst() != nullptr && worst()->error < stats::kSettled; }
};

/// Part of results.json, and of the documents of single jobs. Numbers that are unknown are null. Something was
/// measured.
[[nodiscard]] container::Json settling_json(const Settling& settling);
[[nodiscard]] Settling read_settling(const container::Json& json);

}  // namespace shiftnorm::results
