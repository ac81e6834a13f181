#include "shiftnorm/stats/layer_errors.hpp"

#include <algorithm>
#include <limits>

#include "shiftnorm/stats/settling.hpp"

namespace shiftnorm::stats {

std::vector<double> layer_errors(const StatisticsFile& file) {
  const std::vector<LayerSettling> measured = settling(pooling_of(file.semantics, file.estimator), file.layers, {});
  std::vector<double> errors;
  for (const LayerStatistics& layer : file.layers) {
    const auto found = std::ranges::find(measured, layer.name, &LayerSettling::name);
    errors.push_back(found == measured.end() ? std::numeric_limits<double>::quiet_NaN() : found->error);
  }
  return errors;
}

}  // namespace shiftnorm::stats
