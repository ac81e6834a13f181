#include "measuring.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "estimators.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::adapt {
namespace {

/// Images whose statistics need no order among each other are measured in groups of so many, so that an interrupted
/// measurement loses no more.
constexpr std::size_t kChunk = 64;

/// Where a measurement starts: behind what was reached, or from the source.
const stats::Statistics& start_of(const BoundNetwork& network, const stats::Statistics* reached) {
  return reached != nullptr && !reached->empty() ? *reached : network.source;
}

/// Level by level, each behind the final statistics of the earlier ones. `reached` holds the layers that an earlier
/// measurement settled.
std::vector<stats::Statistics> measure_layerwise(BoundNetwork& network, const Mode& mode, const Groups& domains,
                                                 const Images& images, Outputs* outputs, stats::Statistics* reached,
                                                 const Progress& progress) {
  const stats::Statistics start = start_of(network, reached);
  std::vector<stats::Statistics> targets(domains.size(), start);
  std::vector<bool> measured = network.measured_by(mode.layers);
  for (std::size_t i = 0; i < measured.size(); ++i) measured[i] = measured[i] && start[i].values == 0;
  exec::SweepRequest r = network.request(network.whole, start, images, "adapt");
  r.levels = network.levels(network.whole, measured);
  r.groups = domains;
  if (outputs != nullptr) network.collect(*outputs, images.count, r);
  r.finalize_level = [&](std::size_t domain, std::int64_t, std::span<exec::LevelMoments> moments,
                         std::span<exec::Affine> affines) {
    for (exec::LevelMoments& m : moments) {
      require_variance(network.layers()[m.set], m.moments);
      stats::LayerStatistics& layer = targets[domain][m.set];
      layer.values = m.moments.values();
      layer.images = static_cast<std::int64_t>(domains[domain].size());
      layer.batches = 1;
      layer.sums = std::move(m.moments);
      layer.spread = std::move(m.spread);
      stats::estimate(stats::Pooling::values, layer);
      affines[m.set] = network.affine(m.set, layer.mean, layer.variance, false);
    }
  };
  try {
    network.whole.sweeper.run(r, progress);
  } catch (...) {
    if (reached != nullptr) *reached = std::move(targets.front());
    throw;
  }
  return targets;
}

/// Group by group, none of images of two domains: batches that are normalised separately, or chunks of images under
/// the source statistics. `reached` holds what the first groups gave.
class GroupMeasurement {
 public:
  GroupMeasurement(BoundNetwork& bound, const Mode& mode, const Groups& domains, const Images& images,
                   const stats::Statistics* reached)
      : bound_(bound),
        by_source_(mode.semantics == Semantics::source),
        network_(by_source_ ? bound.whole : bound.in_groups()),
        request_(bound.request(network_, bound.source, images, "adapt")) {
    const std::vector<bool> measured = bound.measured_by(mode.layers);
    request_.layerwise = !by_source_;
    request_.levels =
        by_source_ ? std::vector<std::int64_t>(measured.begin(), measured.end()) : bound.levels(network_, measured);
    estimators_.reserve(domains.size());
    for (std::size_t d = 0; d < domains.size(); ++d)
      estimators_.emplace_back(mode, bound.layers(), start_of(bound, reached));
    DomainBatches all =
        by_source_ ? domain_batches(domains, kChunk, {}) : domain_batches(domains, batch_size(mode), mode.shuffle);
    const std::size_t seen = reached != nullptr ? estimators_.front().batches() : 0;
    const auto done = static_cast<std::ptrdiff_t>(std::min(seen, all.groups.size()));
    request_.groups.assign(std::make_move_iterator(all.groups.begin() + done),
                           std::make_move_iterator(all.groups.end()));
    origins_.assign(all.origins.begin() + done, all.origins.end());
    request_.finalize_level = [this](std::size_t group, std::int64_t, std::span<exec::LevelMoments> moments,
                                     std::span<exec::Affine> affines) { finalize_level(group, moments, affines); };
    request_.group_done = [this](std::size_t group) { add(group); };
  }

  void run(const Progress& progress) { network_.sweeper.run(request_, progress); }

  /// Of the first domain, as it is now.
  [[nodiscard]] stats::Statistics reached() const { return estimators_.front().finish(); }

  [[nodiscard]] std::vector<stats::Statistics> finish() const {
    std::vector<stats::Statistics> targets;
    for (const BatchEstimator& estimator : estimators_) {
      stats::Statistics& target = targets.emplace_back(estimator.finish());
      if (by_source_) join_chunks(target);
    }
    return targets;
  }

 private:
  void finalize_level(std::size_t group, std::span<exec::LevelMoments> moments, std::span<exec::Affine> affines) {
    if (!by_source_)
      for (const exec::LevelMoments& m : moments) {
        const std::size_t layer = network_.owner[m.set];
        require_variance(bound_.layers()[layer], m.moments);
        affines[m.set] = bound_.affine(layer, m.moments.mean(), m.moments.variance(stats::Divisor::population), false);
      }
    const std::lock_guard lock(mutex_);
    auto& held = waiting_[group];
    std::ranges::move(moments, std::back_inserter(held));
  }

  /// The estimators see groups in their order, and the uses of a layer in that of the graph.
  void add(std::size_t group) {
    std::map<std::size_t, std::vector<exec::LevelMoments>> by_layer;
    {
      const std::lock_guard lock(mutex_);
      for (exec::LevelMoments& m : waiting_[group]) by_layer[network_.owner[m.set]].push_back(std::move(m));
      waiting_.erase(group);
    }
    const DomainBatches::Origin& origin = origins_[group];
    const auto images = static_cast<std::int64_t>(request_.groups[group].size());
    for (auto& [layer, uses] : by_layer) {
      std::sort(uses.begin(), uses.end(),
                [](const exec::LevelMoments& a, const exec::LevelMoments& b) { return a.set < b.set; });
      estimators_[origin.domain].add(layer, origin.batch, images, uses);
    }
  }

  /// Chunks are how the work is done, not batches of the estimate.
  void join_chunks(stats::Statistics& target) const {
    for (std::size_t i = 0; i < target.size(); ++i) {
      if (target[i].values == 0) continue;
      require_variance(bound_.layers()[i], target[i].sums);
      target[i].batches = 1;
    }
  }

  BoundNetwork& bound_;
  bool by_source_;
  Network& network_;
  exec::SweepRequest request_;
  std::vector<DomainBatches::Origin> origins_;  ///< per group
  std::vector<BatchEstimator> estimators_;      ///< per domain
  std::mutex mutex_;
  std::map<std::size_t, std::vector<exec::LevelMoments>> waiting_;  ///< of groups that are not done
};

std::vector<stats::Statistics> measure_groups(BoundNetwork& network, const Mode& mode, const Groups& domains,
                                              const Images& images, stats::Statistics* reached,
                                              const Progress& progress) {
  GroupMeasurement measurement(network, mode, domains, images, reached);
  try {
    measurement.run(progress);
  } catch (...) {
    if (reached != nullptr) *reached = measurement.reached();
    throw;
  }
  return measurement.finish();
}

}  // namespace

void require_images(const Images& images) {
  if (images.count == 0) throw FormatError("no images; expected at least one");
}

std::vector<stats::Statistics> measure(BoundNetwork& network, const Mode& measuring, const Groups& domains,
                                       const Images& images, Outputs* outputs, stats::Statistics* reached,
                                       const Progress& progress) {
  require_images(images);
  if (measuring.semantics == Semantics::layerwise)
    return measure_layerwise(network, measuring, domains, images, outputs, reached, progress);
  return measure_groups(network, measuring, domains, images, reached, progress);
}

exec::SweepEstimate estimate(BoundNetwork& network, const Mode& mode, std::size_t images, bool outputs) {
  const bool fixed = network.fixed(mode);
  const bool by_source = fixed && mode.semantics == Semantics::source;
  const bool together = fixed && mode.semantics == Semantics::layerwise;
  Network& swept = by_source || together ? network.whole : network.in_groups();
  const std::vector<bool> measured = fixed ? network.measured_by(mode.layers) : network.by_group(mode);
  exec::SweepRequest r;
  r.layerwise = !by_source;
  r.levels = by_source ? std::vector<std::int64_t>(measured.begin(), measured.end()) : network.levels(swept, measured);
  r.groups = one_group(images);
  if (!together) r.groups = domain_batches(r.groups, by_source ? kChunk : network.group_size(mode), {}).groups;
  if (outputs) r.output = [](std::size_t, std::size_t, std::span<const float>) {};
  r.outputs = network.all_outputs ? network.whole.plan->outputs() : 1;
  return swept.sweeper.estimate(r);
}

}  // namespace shiftnorm::adapt
