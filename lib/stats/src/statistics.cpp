#include "shiftnorm/stats/statistics.hpp"

namespace shiftnorm::stats {

void estimate(Pooling pooling, LayerStatistics& layer) {
  if (pooling == Pooling::values) {
    layer.mean = layer.sums.mean();
    layer.variance = layer.sums.variance(Divisor::population);
    return;
  }
  const auto batches = static_cast<long double>(layer.batches);
  for (std::size_t c = 0; c < layer.mean.size(); ++c) {
    layer.mean[c] = static_cast<double>(layer.sums.sums()[c].value() / batches);
    layer.variance[c] = static_cast<double>(layer.sums.squares()[c].value() / batches);
  }
}

}  // namespace shiftnorm::stats
