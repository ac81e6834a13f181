#include "measuring.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "estimators.hpp"
#include "shiftnorm/adapt/mixture.hpp"
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

/// What the layers behind see of a layer: as it was measured, or matched.
void use(const BoundNetwork& network, const Mode& mode, std::size_t layer, stats::LayerStatistics& measured) {
  if (mode.policy == Policy::matched)
    match(*mode.mixture, layer, network.layers()[layer].epsilon, network.source[layer], measured);
}

/// A layer's moments as one set of statistics.
void keep(exec::LevelMoments& from, std::size_t images, stats::LayerStatistics& layer) {
  layer.values = from.moments.values();
  layer.images = static_cast<std::int64_t>(images);
  layer.batches = 1;
  layer.sums = std::move(from.moments);
  layer.spread = std::move(from.spread);
  stats::estimate(stats::Pooling::values, layer);
}

/// What the layers behind a measured one see, as its affine; nothing: it stays as the sweep began.
using Used = std::function<std::optional<exec::Affine>(std::size_t domain, std::size_t layer,
                                                       const stats::LayerStatistics& measured)>;

/// Level by level, each behind what `used` makes of the earlier ones. `targets`: one for each domain, to be filled.
void sweep_levels(BoundNetwork& network, const std::vector<bool>& measured, const stats::Statistics& begin,
                  const Groups& domains, const Images& images, Outputs* outputs, const Used& used,
                  std::vector<stats::Statistics>& targets, const Progress& progress) {
  exec::SweepRequest r = network.request(network.whole, begin, images, "adapt");
  r.levels = network.levels(network.whole, measured);
  r.groups = domains;
  if (outputs != nullptr) network.collect(*outputs, images.count, r);
  r.finalize_level = [&](std::size_t domain, std::int64_t, std::span<exec::LevelMoments> moments,
                         std::span<exec::Affine> affines) {
    for (exec::LevelMoments& m : moments) {
      require_variance(network.layers()[m.set], m.moments);
      stats::LayerStatistics& layer = targets[domain][m.set];
      keep(m, domains[domain].size(), layer);
      if (std::optional<exec::Affine> affine = used(domain, m.set, layer)) affines[m.set] = std::move(*affine);
    }
  };
  network.whole.sweeper.run(r, progress);
}

/// Each level behind the final statistics of the earlier ones. `reached` holds the layers that an earlier measurement
/// settled.
std::vector<stats::Statistics> measure_layerwise(BoundNetwork& network, std::span<const Mode> modes,
                                                 const Groups& domains, const Images& images, Outputs* outputs,
                                                 stats::Statistics* reached, const Progress& progress) {
  const Mode& mode = modes.front();
  const stats::Statistics start = start_of(network, reached);
  std::vector<stats::Statistics> targets(domains.size(), start);
  std::vector<bool> measured = network.measured_by(mode.layers);
  stats::Statistics begin = start;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    if (start[i].values == 0) continue;
    measured[i] = false;
    use(network, mode, i, begin[i]);
  }
  const auto used = [&](std::size_t domain, std::size_t layer, const stats::LayerStatistics& as_measured) {
    stats::LayerStatistics final{as_measured.name, as_measured.mean, as_measured.variance};
    use(network, modes[domain], layer, final);
    return std::optional(network.affine(layer, final.mean, final.variance, false));
  };
  try {
    sweep_levels(network, measured, begin, domains, images, outputs, used, targets, progress);
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

stats::Statistics measure_partly_matched(BoundNetwork& network, const Mode& mode, std::size_t count,
                                         const Groups& domain, const Images& images, Outputs& outputs,
                                         const Progress& progress) {
  const std::vector<bool> part = network.measured_by(mode.layers);
  std::vector<bool> matched(part.size(), false);
  for (std::size_t i = 0, seen = 0; i < part.size() && seen < count; ++i)
    if (part[i]) {
      matched[i] = true;
      ++seen;
    }
  std::vector<stats::Statistics> targets{network.source};
  const auto used = [&](std::size_t, std::size_t layer,
                        const stats::LayerStatistics& as_measured) -> std::optional<exec::Affine> {
    if (!matched[layer]) return std::nullopt;
    stats::LayerStatistics final{as_measured.name, as_measured.mean, as_measured.variance};
    use(network, mode, layer, final);
    return network.affine(layer, final.mean, final.variance, false);
  };
  // Every layer is measured: those that keep the source's statistics say something of the mixture, too.
  sweep_levels(network, network.measured_by({}), network.source, domain, images, &outputs, used, targets, progress);
  return std::move(targets.front());
}

void require_images(const Images& images) {
  if (images.count == 0) throw FormatError("no images; expected at least one");
}

std::vector<stats::Statistics> measure(BoundNetwork& network, std::span<const Mode> modes, const Groups& domains,
                                       const Images& images, Outputs* outputs, stats::Statistics* reached,
                                       const Progress& progress) {
  require_images(images);
  const Mode& measuring = modes.front();
  if (measuring.semantics == Semantics::layerwise)
    return measure_layerwise(network, modes, domains, images, outputs, reached, progress);
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
