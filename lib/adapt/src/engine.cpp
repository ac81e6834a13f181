#include "shiftnorm/adapt/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>

#include "batching.hpp"
#include "estimators.hpp"
#include "layer_rule.hpp"
#include "left_out.hpp"
#include "network.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/stopwatch.hpp"
#include "shiftnorm/graph/marks.hpp"

namespace shiftnorm::adapt {
namespace {

/// The images of each domain; together they are all images once.
Groups groups_of(std::span<const Domain> domains, std::size_t count) {
  Groups groups;
  std::vector<bool> seen(count, false);
  std::size_t total = 0;
  for (const Domain& domain : domains) {
    require_valid(domain.mode);
    if (domain.images.empty()) throw Error("a domain has no images; expected at least one");
    for (const std::size_t i : domain.images) {
      if (i >= count || seen[i]) throw Error(fmt::format("image {} is in no data set or in two domains", i));
      seen[i] = true;
    }
    total += domain.images.size();
    groups.push_back(domain.images);
  }
  if (total != count) throw Error(fmt::format("{} of {} images have a domain; expected all", total, count));
  return groups;
}

void require_images(const Images& images) {
  if (images.count == 0) throw FormatError("no images; expected at least one");
}

std::vector<double> values_of(const graph::Graph& graph, graph::ValueId id) {
  const Tensor& tensor = *graph.value(id).tensor;
  return {tensor.values.begin(), tensor.values.end()};
}

}  // namespace

stats::Statistics source_statistics(const graph::Graph& graph, const std::vector<graph::BatchNorm>& layers) {
  stats::Statistics source;
  for (const graph::BatchNorm& layer : layers)
    source.push_back({layer.name, values_of(graph, layer.mean), values_of(graph, layer.variance)});
  return source;
}

namespace {

bool finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

/// One value per channel has no variance: PyTorch refuses it in training mode, and 0 would blow up every other image.
void require_variance(const graph::BatchNorm& layer, const stats::ChannelMoments& moments) {
  if (moments.values() < 2)
    throw ConfigError(fmt::format(
        "layer '{}': a group of {} image(s) gives one value per channel, which has no variance; expected larger groups "
        "(batch), or this layer left out (layers)",
        layer.name, moments.images()));
}

/// Images whose statistics need no order among each other are measured in groups of so many, so that an interrupted
/// measurement loses no more.
constexpr std::size_t kChunk = 64;

}  // namespace

struct Engine::State {
  graph::Graph graph;
  Network whole;                     ///< several applications of a BatchNorm are one set
  std::unique_ptr<Network> per_use;  ///< each is a set of its own; null if there are none
  stats::Statistics source;
  bool source_known;
  bool all_outputs;
  std::vector<std::vector<double>> gamma, beta;
  std::vector<bool> reachable;

  State(const graph::Graph& g, const EngineOptions& o)
      : graph(g),
        whole(std::make_shared<exec::Plan>(graph), o, each_its_own(graph::batch_norms(graph).size())),
        per_use(use_by_use(graph, layers(), o)),
        source(source_statistics(graph, layers())),
        source_known(std::all_of(
            source.begin(), source.end(),
            [](const stats::LayerStatistics& layer) { return finite(layer.mean) && finite(layer.variance); })),
        all_outputs(o.all_outputs),
        reachable(reached(graph, layers())) {
    for (const graph::BatchNorm& layer : layers()) {
      gamma.push_back(values_of(graph, layer.scale));
      beta.push_back(values_of(graph, layer.bias));
    }
  }

  [[nodiscard]] const std::vector<graph::BatchNorm>& layers() const { return whole.plan->sets(); }
  /// In batches every application of a BatchNorm is normalised by what it sees itself, as in PyTorch's training mode.
  [[nodiscard]] Network& in_groups() { return per_use ? *per_use : whole; }

  /// gamma (x - mean) / sqrt(variance + epsilon) + beta as scale and shift.
  [[nodiscard]] exec::Affine affine(std::size_t layer, const std::vector<double>& mean,
                                    const std::vector<double>& variance, bool plain) const {
    std::vector<double> scale(mean.size()), shift(mean.size());
    for (std::size_t c = 0; c < mean.size(); ++c) {
      scale[c] = layers()[layer].gain(plain ? 1.0 : gamma[layer][c], variance[c]);
      shift[c] = (plain ? 0.0 : beta[layer][c]) - mean[c] * scale[c];
    }
    return whole.plan->affine(scale, shift);
  }

  [[nodiscard]] exec::SweepRequest request(const Network& network, const stats::Statistics& statistics,
                                           const Images& images, std::string_view stage) const {
    exec::SweepRequest r;
    r.levels.assign(network.owner.size(), 0);
    for (const std::size_t i : network.owner) {
      r.affines.push_back(affine(i, statistics[i].mean, statistics[i].variance, statistics[i].plain_affine));
      // The pivot only guards digits; without source statistics zero will do.
      r.pivots.emplace_back(source[i].mean.size(), 0.0f);
      if (finite(source[i].mean)) r.pivots.back().assign(source[i].mean.begin(), source[i].mean.end());
    }
    r.load = images.load;
    r.stage = stage;
    return r;
  }

  void collect(Outputs& outputs, std::size_t count, exec::SweepRequest& r) const {
    r.outputs = all_outputs ? whole.plan->outputs() : 1;
    outputs.others.resize(r.outputs - 1);
    for (std::size_t which = 0; which < r.outputs; ++which) {
      Outputs& to = which == 0 ? outputs : outputs.others[which - 1];
      to.width = whole.plan->output_floats(which);
      to.values.resize(count * static_cast<std::size_t>(to.width));
    }
    r.output = [&outputs](std::size_t index, std::size_t which, std::span<const float> row) {
      Outputs& to = which == 0 ? outputs : outputs.others[which - 1];
      std::copy(row.begin(), row.end(), to.values.begin() + static_cast<std::ptrdiff_t>(index * row.size()));
    };
  }

  /// Whether one set of statistics says how the mode's network is normalised. Not where they change with the group:
  /// policies batch and instance, and the source of a file that its runtime normalises by batches.
  [[nodiscard]] bool fixed(const Mode& mode) const {
    return exportable(mode.policy) && !(mode.policy == Policy::source && source_by_batch());
  }

  [[nodiscard]] bool source_by_batch() const {
    return std::any_of(layers().begin(), layers().end(),
                       [this](const graph::BatchNorm& layer) { return graph::by_batch(graph, layer).has_value(); });
  }

  /// Images that are normalised together under such a mode; a file's own number of them counts for its source.
  [[nodiscard]] std::size_t group_size(const Mode& mode) const {
    if (mode.policy == Policy::source)
      for (const graph::BatchNorm& layer : layers())
        if (const std::int64_t images = graph::by_batch(graph, layer).value_or(0); images > 0)
          return static_cast<std::size_t>(images);
    return batch_size(mode);
  }

  /// Layers that such a mode normalises by the group.
  [[nodiscard]] std::vector<bool> by_group(const Mode& mode) const {
    std::vector<bool> measured = measured_by(mode.policy == Policy::source ? LayerRule{} : mode.layers);
    if (mode.policy == Policy::source)
      for (std::size_t i = 0; i < measured.size(); ++i)
        measured[i] = measured[i] && graph::by_batch(graph, layers()[i]).has_value();
    return measured;
  }

  /// Which layers a rule chooses and the outputs depend on.
  [[nodiscard]] std::vector<bool> measured_by(const LayerRule& rule) const {
    std::vector<bool> measured = chosen(rule, layers());
    for (std::size_t i = 0; i < measured.size(); ++i) measured[i] = measured[i] && reachable[i];
    return measured;
  }

  [[nodiscard]] std::vector<std::int64_t> levels(const Network& network, const std::vector<bool>& measured) const {
    std::vector<graph::BatchNorm> sets = network.plan->sets();
    std::vector<bool> sets_measured;
    for (const std::size_t i : network.owner) sets_measured.push_back(measured[i]);
    graph::assign_levels(graph, sets, sets_measured);
    std::vector<std::int64_t> out;
    for (const graph::BatchNorm& set : sets) {
      if (!set.ordered)
        throw UnsupportedError(fmt::format(
            "layer '{}': one use depends on another use of itself, so that semantics layerwise has no exact "
            "order; expected semantics batch",
            set.name));
      out.push_back(set.level);
    }
    return out;
  }

  /// Groups and levels as measure_layerwise(), measure_groups() and evaluate_groups() have them.
  [[nodiscard]] exec::SweepEstimate estimate(const Mode& mode, std::size_t images, bool outputs) const {
    const bool by_source = fixed(mode) && mode.semantics == Semantics::source;
    const bool together = fixed(mode) && mode.semantics == Semantics::layerwise;
    const Network& network = by_source || together || !per_use ? whole : *per_use;
    const std::vector<bool> measured = fixed(mode) ? measured_by(mode.layers) : by_group(mode);
    exec::SweepRequest r;
    r.settled = !by_source;
    r.levels = by_source ? std::vector<std::int64_t>(measured.begin(), measured.end()) : levels(network, measured);
    r.groups = one_group(images);
    if (!together) r.groups = domain_batches(r.groups, by_source ? kChunk : group_size(mode), {}).groups;
    if (outputs) r.output = [](std::size_t, std::size_t, std::span<const float>) {};
    r.outputs = all_outputs ? whole.plan->outputs() : 1;
    return network.sweeper.estimate(r);
  }

  /// Level by level, each behind the final statistics of the earlier ones; domains do not see each other. `reached`
  /// (of one domain) holds the layers that an earlier measurement settled; levels settled before an exception are left
  /// in it.
  std::vector<stats::Statistics> measure_layerwise(const Mode& mode, const Groups& domains, const Images& images,
                                                   Outputs* outputs, stats::Statistics* reached,
                                                   const Progress& progress) {
    const stats::Statistics start = reached != nullptr && !reached->empty() ? *reached : source;
    std::vector<stats::Statistics> targets(domains.size(), start);
    std::vector<bool> measured = measured_by(mode.layers);
    for (std::size_t i = 0; i < measured.size(); ++i) measured[i] = measured[i] && start[i].values == 0;
    exec::SweepRequest r = request(whole, start, images, "adapt");
    r.levels = levels(whole, measured);
    r.groups = domains;
    if (outputs != nullptr) collect(*outputs, images.count, r);
    r.settle = [&](std::size_t domain, std::int64_t, std::span<exec::LevelMoments> moments,
                   std::span<exec::Affine> affines) {
      for (exec::LevelMoments& m : moments) {
        require_variance(layers()[m.set], m.moments);
        stats::LayerStatistics& layer = targets[domain][m.set];
        layer.values = m.moments.values();
        layer.images = static_cast<std::int64_t>(domains[domain].size());
        layer.batches = 1;
        layer.sums = std::move(m.moments);
        layer.spread = std::move(m.spread);
        stats::estimate(stats::Pooling::values, layer);
        affines[m.set] = affine(m.set, layer.mean, layer.variance, false);
      }
    };
    try {
      whole.sweeper.run(r, progress);
    } catch (...) {
      if (reached != nullptr) *reached = std::move(targets.front());
      throw;
    }
    return targets;
  }

  /// Group by group, none of images of two domains. `reached` (of one domain) holds what the first groups gave; those
  /// done before an exception are left in it.
  std::vector<stats::Statistics> measure_groups(const Mode& mode, const Groups& domains, const Images& images,
                                                stats::Statistics* reached, const Progress& progress) {
    const bool by_source = mode.semantics == Semantics::source;
    Network& network = by_source ? whole : in_groups();
    exec::SweepRequest r = request(network, source, images, "adapt");
    const std::vector<bool> measured = measured_by(mode.layers);
    r.settled = !by_source;
    r.levels = by_source ? std::vector<std::int64_t>(measured.begin(), measured.end()) : levels(network, measured);
    DomainBatches all =
        by_source ? domain_batches(domains, kChunk, {}) : domain_batches(domains, batch_size(mode), mode.shuffle);
    r.groups = std::move(all.groups);
    std::vector<BatchEstimator> estimators;
    estimators.reserve(domains.size());
    for (std::size_t d = 0; d < domains.size(); ++d)
      estimators.emplace_back(mode, layers(), reached != nullptr && !reached->empty() ? *reached : source);
    const std::size_t seen = reached != nullptr ? estimators.front().batches() : 0;
    const auto done = static_cast<std::ptrdiff_t>(std::min(seen, r.groups.size()));
    r.groups.erase(r.groups.begin(), r.groups.begin() + done);
    all.origins.erase(all.origins.begin(), all.origins.begin() + done);
    std::mutex mutex;
    std::map<std::size_t, std::vector<exec::LevelMoments>> waiting;
    r.settle = [&](std::size_t group, std::int64_t, std::span<exec::LevelMoments> moments,
                   std::span<exec::Affine> affines) {
      if (!by_source)
        for (const exec::LevelMoments& m : moments) {
          const std::size_t layer = network.owner[m.set];
          require_variance(layers()[layer], m.moments);
          affines[m.set] = affine(layer, m.moments.mean(), m.moments.variance(stats::Divisor::population), false);
        }
      const std::lock_guard lock(mutex);
      auto& held = waiting[group];
      std::ranges::move(moments, std::back_inserter(held));
    };
    r.group_done = [&](std::size_t group) {
      std::map<std::size_t, std::vector<exec::LevelMoments>> by_layer;
      {
        const std::lock_guard lock(mutex);
        for (exec::LevelMoments& m : waiting[group]) by_layer[network.owner[m.set]].push_back(std::move(m));
        waiting.erase(group);
      }
      for (auto& [layer, uses] : by_layer) {
        std::sort(uses.begin(), uses.end(),
                  [](const exec::LevelMoments& a, const exec::LevelMoments& b) { return a.set < b.set; });
        const DomainBatches::Origin& origin = all.origins[group];
        estimators[origin.domain].add(layer, origin.batch, static_cast<std::int64_t>(r.groups[group].size()), uses);
      }
    };
    const auto finish = [&](const BatchEstimator& estimator) {
      stats::Statistics out = estimator.finish();
      if (!by_source) return out;
      for (std::size_t i = 0; i < out.size(); ++i) {
        if (out[i].values == 0) continue;
        require_variance(layers()[i], out[i].sums);
        out[i].batches = 1;
      }
      return out;
    };
    try {
      network.sweeper.run(r, progress);
    } catch (...) {
      if (reached != nullptr) *reached = estimators.front().finish();
      throw;
    }
    std::vector<stats::Statistics> targets;
    for (const BatchEstimator& estimator : estimators) targets.push_back(finish(estimator));
    return targets;
  }

  /// One entry per domain. outputs: only for layerwise; reached: only with one domain.
  std::vector<stats::Statistics> measure(const Mode& mode, const Groups& domains, const Images& images,
                                         Outputs* outputs, stats::Statistics* reached, const Progress& progress) {
    require_images(images);
    if (mode.semantics == Semantics::layerwise)
      return measure_layerwise(mode, domains, images, outputs, reached, progress);
    return measure_groups(mode, domains, images, reached, progress);
  }

  /// Rows of `outputs` for the images of one domain.
  void infer(const stats::Statistics& statistics, const std::vector<std::size_t>& domain, const Images& images,
             Outputs& outputs, const Progress& progress) {
    exec::SweepRequest r = request(whole, statistics, images, "evaluate");
    r.groups = {domain};
    collect(outputs, images.count, r);
    whole.sweeper.run(r, progress);
  }

  /// Policies `batch` and `instance`, and a source that changes with the batch: each group is normalised with its own
  /// statistics, blended with the source if asked.
  Outputs evaluate_groups(const Mode& mode, const Groups& domains, const Images& images, const Progress& progress) {
    Network& network = in_groups();
    exec::SweepRequest r = request(network, source, images, "evaluate");
    r.levels = levels(network, by_group(mode));
    // A source has no shuffle: a runtime takes the images as they come.
    r.groups = domain_batches(domains, group_size(mode), mode.shuffle).groups;
    Outputs outputs;
    collect(outputs, images.count, r);
    Mode blend = mode;
    blend.policy = mode.source_weight || mode.prior_images ? Policy::blend : Policy::adabn;
    blend.layers = {};
    r.settle = [&](std::size_t group, std::int64_t, std::span<const exec::LevelMoments> moments,
                   std::span<exec::Affine> affines) {
      for (const exec::LevelMoments& m : moments) {
        const std::size_t layer = network.owner[m.set];
        require_variance(layers()[layer], m.moments);
        const stats::Statistics own{
            {source[layer].name, m.moments.mean(), m.moments.variance(stats::Divisor::population)}};
        const stats::Statistics used = apply_policy(blend, {layers()[layer]}, {source[layer]}, own,
                                                    static_cast<std::int64_t>(r.groups[group].size()));
        affines[m.set] = affine(layer, used[0].mean, used[0].variance, false);
      }
    };
    network.sweeper.run(r, progress);
    return outputs;
  }

  void require_source(const Mode& mode) const {
    if (source_known) return;
    const std::vector<bool> takes_part = chosen(mode.layers, layers());
    const bool all = std::find(takes_part.begin(), takes_part.end(), false) == takes_part.end();
    if (needs_source(mode) || !all)
      throw ConfigError(fmt::format(
          "no source statistics: the file holds none (PyTorch writes none for track_running_stats=False), "
          "and {} needs them; expected policy adabn with estimator population, batch-mean or ema-reset, or policy "
          "batch, instance, disabled or identity",
          all ? fmt::format("policy {} as asked for", name_of(mode.policy)) : "a layer left out"));
  }
};

Engine::Engine(const graph::Graph& graph, const EngineOptions& options)
    : state_(std::make_unique<State>(graph, options)) {}
Engine::~Engine() = default;

const std::vector<graph::BatchNorm>& Engine::batch_norms() const noexcept { return state_->layers(); }
std::int64_t Engine::outputs() const noexcept { return state_->whole.plan->output_floats(); }
const stats::Statistics& Engine::source() const noexcept { return state_->source; }
bool Engine::source_known() const noexcept { return state_->source_known; }
bool Engine::fixed(const Mode& mode) const { return state_->fixed(mode); }

stats::Statistics Engine::measure(const Mode& mode, const Images& adapt, const Progress& progress) {
  return std::move(state_->measure(mode, one_group(adapt.count), adapt, nullptr, nullptr, progress).front());
}

Outputs Engine::infer(const stats::Statistics& statistics, const Images& images, const Progress& progress) {
  require_images(images);
  Outputs outputs;
  state_->infer(statistics, one_group(images.count).front(), images, outputs, progress);
  return outputs;
}

ModeResult Engine::run(const Mode& mode, const Images& adapt, const Images* evaluate, const Progress& progress,
                       stats::Statistics* reached) {
  require_valid(mode);
  state_->require_source(mode);
  ModeResult result;
  const Stopwatch adapting;
  stats::Statistics target = state_->source;
  if (measures(mode.policy)) {
    // A layerwise sweep ends with the adapted network's own outputs.
    const bool same = evaluate == &adapt && mode.policy == Policy::adabn && mode.semantics == Semantics::layerwise;
    Usable usable(adapt);
    for (bool done = false; !done;) {
      try {
        if (same) result.outputs.emplace();
        const Images kept = usable.images();
        target = std::move(
            state_->measure(mode, one_group(kept.count), kept, same ? &*result.outputs : nullptr, reached, progress)
                .front());
        done = true;
      } catch (const exec::NonFinite& bad) {
        usable.leave_out(bad, result.left_out);
        // What was reached holds the image already.
        if (reached != nullptr) reached->clear();
        reached = nullptr;
      }
    }
    if (!result.left_out.empty()) result.outputs.reset();
    result.adapted_images = static_cast<std::int64_t>(usable.images().count);
    result.seconds.adapt = adapting.seconds();
  }
  const Stopwatch evaluating;
  if (!state_->fixed(mode) && evaluate != nullptr)
    result.outputs = evaluate_groups(mode, *evaluate, result.left_out, progress);
  if (exportable(mode.policy)) {
    result.statistics = apply_policy(mode, state_->layers(), state_->source, target, result.adapted_images);
    if (measures(mode.policy)) result.measured = std::move(target);
    if (evaluate != nullptr && !result.outputs) result.outputs = infer(result.statistics, *evaluate, progress);
  }
  if (evaluate != nullptr) result.seconds.evaluate = evaluating.seconds();
  return result;
}

Cost Engine::cost(const Mode& mode, std::size_t images, bool outputs) const {
  require_valid(mode);
  const bool in_groups = !state_->fixed(mode);
  if (!in_groups && !measures(mode.policy)) return {};
  const exec::SweepEstimate found = state_->estimate(mode, images, outputs || in_groups);
  return {found.frontier_bytes, found.moved_bytes, found.local_bytes, found.spills};
}

DomainResults Engine::run_domains(std::span<const Domain> domains, const Images& images, bool evaluate,
                                  const Progress& progress) {
  require_images(images);
  const Groups groups = groups_of(domains, images.count);
  for (const Domain& domain : domains) state_->require_source(domain.mode);
  // How a domain is measured is the same for all; what the policy then is may differ.
  const Mode& measuring = domains.front().mode;
  const auto any = [&](auto is) { return std::any_of(domains.begin(), domains.end(), is); };
  const auto swept = [&](const Domain& d) {
    return evaluate && d.mode.policy == Policy::adabn && d.mode.semantics == Semantics::layerwise;
  };
  const bool measured = any([](const Domain& d) { return measures(d.mode.policy); });
  DomainResults results;
  results.domains.resize(domains.size());
  Groups kept = groups;
  const auto without_bad = [&](auto work) {
    for (;;) {
      try {
        return work();
      } catch (const exec::NonFinite& bad) {
        leave_out(bad, domains, kept, results.domains);
      }
    }
  };
  const Stopwatch adapting;
  std::vector<stats::Statistics> targets(domains.size(), state_->source);
  if (measured) {
    without_bad([&] {
      if (any(swept)) results.outputs.emplace();
      targets =
          state_->measure(measuring, kept, images, results.outputs ? &*results.outputs : nullptr, nullptr, progress);
    });
    if (kept != groups) results.outputs.reset();
    results.seconds.adapt = adapting.seconds();
  }
  const bool from_sweep = results.outputs.has_value();
  const Stopwatch evaluating;
  for (std::size_t d = 0; d < domains.size(); ++d) {
    const Mode& mode = domains[d].mode;
    ModeResult& result = results.domains[d];
    if (!exportable(mode.policy)) continue;
    if (measured) result.adapted_images = static_cast<std::int64_t>(kept[d].size());
    result.statistics = apply_policy(mode, state_->layers(), state_->source, targets[d], result.adapted_images);
    if (measured) result.measured = std::move(targets[d]);
    if (!evaluate || !state_->fixed(mode) || (from_sweep && swept(domains[d]))) continue;
    if (!results.outputs) results.outputs.emplace();
    state_->infer(result.statistics, groups[d], images, *results.outputs, progress);
  }
  if (evaluate && !state_->fixed(measuring)) {
    results.outputs = without_bad([&] { return state_->evaluate_groups(measuring, kept, images, progress); });
    for (const ModeResult& result : results.domains)
      for (const LeftOut& one : result.left_out) say_nothing(one.image, *results.outputs);
  }
  if (evaluate) results.seconds.evaluate = evaluating.seconds();
  return results;
}

Outputs Engine::evaluate_groups(const Mode& mode, const Images& images, std::vector<LeftOut>& left_out,
                                const Progress& progress) {
  require_images(images);
  Usable usable(images);
  for (;;) {
    try {
      const Images kept = usable.images();
      const Outputs found = state_->evaluate_groups(mode, one_group(kept.count), kept, progress);
      return spread(found, images.count, [&usable](std::size_t i) { return usable.original(i); });
    } catch (const exec::NonFinite& bad) {
      usable.leave_out(bad, left_out);
    }
  }
}

}  // namespace shiftnorm::adapt
