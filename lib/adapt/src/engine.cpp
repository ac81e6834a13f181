#include "shiftnorm/adapt/engine.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <mutex>
#include <numeric>

#include "estimators.hpp"
#include "layer_rule.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/exec/plan.hpp"
#include "shiftnorm/exec/sweep.hpp"

namespace shiftnorm::adapt {
namespace {

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

using Groups = std::vector<std::vector<std::size_t>>;

Groups one_group(std::size_t count) {
  Groups groups(1, std::vector<std::size_t>(count));
  std::iota(groups[0].begin(), groups[0].end(), std::size_t{0});
  return groups;
}

/// splitmix64 (Steele et al. 2014): the same sequence on every platform, which std::shuffle does not promise.
std::uint64_t next_random(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

/// Batches of the images of one domain.
Groups batches(std::vector<std::size_t> order, std::size_t batch, std::optional<std::uint64_t> shuffle) {
  if (shuffle) {
    std::uint64_t state = *shuffle;
    for (std::size_t i = order.size(); i > 1; --i) {
      // Rejection keeps every order equally likely.
      const std::uint64_t limit = UINT64_MAX - UINT64_MAX % i;
      std::uint64_t draw = next_random(state);
      while (draw >= limit) draw = next_random(state);
      std::swap(order[i - 1], order[draw % i]);
    }
  }
  Groups groups;
  for (std::size_t at = 0; at < order.size(); at += batch)
    groups.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(at),
                        order.begin() + static_cast<std::ptrdiff_t>(std::min(order.size(), at + batch)));
  return groups;
}

/// Batches that do not mix domains, and where each comes from.
struct DomainBatches {
  struct Origin {
    std::size_t domain = 0, batch = 0;  ///< batch: counted within the domain
  };
  Groups groups;
  std::vector<Origin> origins;
};

DomainBatches domain_batches(const Groups& domains, std::size_t batch, std::optional<std::uint64_t> shuffle) {
  DomainBatches all;
  for (std::size_t d = 0; d < domains.size(); ++d) {
    std::size_t count = 0;
    for (std::vector<std::size_t>& group : batches(domains[d], batch, shuffle)) {
      all.groups.push_back(std::move(group));
      all.origins.push_back({d, count++});
    }
  }
  return all;
}

void require_valid(const Mode& mode) {
  const std::vector<std::string> wrong = problems(mode);
  if (!wrong.empty()) throw ConfigError(fmt::format("mode '{}': {}", mode.name, fmt::join(wrong, "; ")));
}

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

/// Sets that feed an output; auxiliary heads unused in inference are never reached and keep their source statistics.
std::vector<bool> reached(const graph::Graph& graph, const std::vector<graph::BatchNorm>& layers) {
  std::vector<bool> value(graph.values(), false), node(graph.nodes().size(), false);
  for (const graph::ValueId id : graph.outputs()) value[static_cast<std::size_t>(id)] = true;
  for (std::size_t n = graph.nodes().size(); n-- > 0;) {
    const graph::Node& op = graph.nodes()[n];
    node[n] = std::any_of(op.outputs.begin(), op.outputs.end(),
                          [&](graph::ValueId id) { return value[static_cast<std::size_t>(id)]; });
    if (!node[n]) continue;
    for (const graph::ValueId id : op.inputs)
      if (id != graph::kNone) value[static_cast<std::size_t>(id)] = true;
  }
  std::vector<bool> out;
  for (const graph::BatchNorm& layer : layers)
    out.push_back(std::any_of(layer.nodes.begin(), layer.nodes.end(), [&](std::size_t n) { return node[n]; }));
  return out;
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

struct Engine::State {
  graph::Graph graph;
  std::shared_ptr<const exec::Plan> plan;
  exec::Sweeper sweeper;
  stats::Statistics source;
  std::vector<std::vector<double>> gamma, beta;
  std::vector<bool> reachable;

  State(const graph::Graph& g, const EngineOptions& o)
      : graph(g),
        plan(std::make_shared<exec::Plan>(graph)),
        sweeper(plan, {o.threads, o.memory, o.scratch_directory}),
        reachable(reached(graph, plan->sets())) {
    source = source_statistics(graph, plan->sets());
    for (const graph::BatchNorm& layer : plan->sets()) {
      gamma.push_back(values_of(graph, layer.scale));
      beta.push_back(values_of(graph, layer.bias));
    }
  }

  [[nodiscard]] const std::vector<graph::BatchNorm>& layers() const { return plan->sets(); }

  /// gamma (x - mean) / sqrt(variance + epsilon) + beta as scale and shift.
  [[nodiscard]] exec::Affine affine(std::size_t layer, const std::vector<double>& mean,
                                    const std::vector<double>& variance, bool plain) const {
    std::vector<double> scale(mean.size()), shift(mean.size());
    for (std::size_t c = 0; c < mean.size(); ++c) {
      scale[c] = (plain ? 1.0 : gamma[layer][c]) / std::sqrt(variance[c] + layers()[layer].epsilon);
      shift[c] = (plain ? 0.0 : beta[layer][c]) - mean[c] * scale[c];
    }
    return plan->affine(scale, shift);
  }

  [[nodiscard]] exec::SweepRequest request(const stats::Statistics& statistics, const Images& images,
                                           std::string_view stage) const {
    exec::SweepRequest r;
    r.levels.assign(layers().size(), 0);
    for (std::size_t i = 0; i < layers().size(); ++i) {
      r.affines.push_back(affine(i, statistics[i].mean, statistics[i].variance, statistics[i].plain_affine));
      r.pivots.emplace_back(source[i].mean.begin(), source[i].mean.end());
    }
    r.load = images.load;
    r.stage = stage;
    return r;
  }

  void collect(Outputs& outputs, std::size_t count, exec::SweepRequest& r) const {
    outputs.width = plan->output_floats();
    outputs.values.resize(count * static_cast<std::size_t>(outputs.width));
    r.output = [&outputs](std::size_t index, std::span<const float> row) {
      std::copy(row.begin(), row.end(), outputs.values.begin() + static_cast<std::ptrdiff_t>(index * row.size()));
    };
  }

  /// Levels of the layers that a rule chooses and the outputs depend on.
  [[nodiscard]] std::vector<std::int64_t> levels(const LayerRule& rule) const {
    std::vector<bool> measured = chosen(rule, layers());
    for (std::size_t i = 0; i < measured.size(); ++i) measured[i] = measured[i] && reachable[i];
    std::vector<graph::BatchNorm> sets = layers();
    graph::assign_levels(graph, sets, measured);
    std::vector<std::int64_t> out;
    for (const graph::BatchNorm& set : sets) {
      if (!set.ordered)
        throw UnsupportedError(fmt::format(
            "layer '{}': one use depends on another use of itself, so that no exact order exists", set.name));
      out.push_back(set.level);
    }
    return out;
  }

  std::vector<stats::Statistics> measure_whole(const Mode& mode, const Groups& domains, const Images& images,
                                               Outputs* outputs, const Progress& progress) {
    exec::SweepRequest r = request(source, images, "adapt");
    r.levels = levels(mode.layers);
    r.settled = mode.semantics == Semantics::layerwise;
    r.groups = domains;
    if (outputs != nullptr) collect(*outputs, images.count, r);
    std::vector<stats::Statistics> targets(domains.size(), source);
    r.settle = [&](std::size_t group, std::int64_t, std::span<const exec::LevelMoments> moments,
                   std::span<exec::Affine> affines) {
      for (const exec::LevelMoments& m : moments) {
        stats::LayerStatistics& layer = targets[group][m.set];
        layer.values = m.moments.values();
        layer.images = static_cast<std::int64_t>(domains[group].size());
        layer.batches = 1;
        layer.sums = m.moments;
        stats::estimate(stats::Pooling::values, layer);
        if (r.settled) affines[m.set] = affine(m.set, layer.mean, layer.variance, false);
      }
    };
    sweeper.run(r, progress);
    return targets;
  }

  std::vector<stats::Statistics> measure_batches(const Mode& mode, const Groups& domains, const Images& images,
                                                 const Progress& progress) {
    exec::SweepRequest r = request(source, images, "adapt");
    r.levels = levels(mode.layers);
    DomainBatches all = domain_batches(domains, static_cast<std::size_t>(mode.batch), mode.shuffle);
    r.groups = std::move(all.groups);
    std::vector<BatchEstimator> estimators;
    for (std::size_t d = 0; d < domains.size(); ++d) estimators.emplace_back(mode, layers(), source);
    std::mutex mutex;
    std::map<std::size_t, std::vector<exec::LevelMoments>> waiting;
    r.settle = [&](std::size_t group, std::int64_t, std::span<const exec::LevelMoments> moments,
                   std::span<exec::Affine> affines) {
      for (const exec::LevelMoments& m : moments)
        affines[m.set] = affine(m.set, m.moments.mean(), m.moments.variance(stats::Divisor::population), false);
      const std::lock_guard lock(mutex);
      auto& held = waiting[group];
      held.insert(held.end(), moments.begin(), moments.end());
    };
    r.group_done = [&](std::size_t group) {
      std::vector<exec::LevelMoments> mine;
      {
        const std::lock_guard lock(mutex);
        mine = std::move(waiting[group]);
        waiting.erase(group);
      }
      const DomainBatches::Origin origin = all.origins[group];
      for (const exec::LevelMoments& m : mine)
        estimators[origin.domain].add(m.set, origin.batch, static_cast<std::int64_t>(r.groups[group].size()),
                                      m.moments);
    };
    sweeper.run(r, progress);
    std::vector<stats::Statistics> targets;
    for (const BatchEstimator& estimator : estimators) targets.push_back(estimator.finish());
    return targets;
  }

  std::vector<stats::Statistics> measure(const Mode& mode, const Groups& domains, const Images& images,
                                         const Progress& progress) {
    if (mode.semantics == Semantics::batch) return measure_batches(mode, domains, images, progress);
    return measure_whole(mode, domains, images, nullptr, progress);
  }

  /// Rows of `outputs` for the images of one domain.
  void infer(const stats::Statistics& statistics, const std::vector<std::size_t>& domain, const Images& images,
             Outputs& outputs, const Progress& progress) {
    exec::SweepRequest r = request(statistics, images, "evaluate");
    r.groups = {domain};
    collect(outputs, images.count, r);
    sweeper.run(r, progress);
  }

  /// Policies `batch` and `instance`: each group is normalised with its own statistics, blended with the source if
  /// asked.
  Outputs evaluate_groups(const Mode& mode, const Groups& domains, const Images& images, const Progress& progress) {
    exec::SweepRequest r = request(source, images, "evaluate");
    r.levels = levels(mode.layers);
    const std::size_t size = mode.policy == Policy::instance ? 1 : static_cast<std::size_t>(mode.batch);
    r.groups = domain_batches(domains, size, mode.shuffle).groups;
    Outputs outputs;
    collect(outputs, images.count, r);
    Mode blend = mode;
    blend.policy = mode.source_weight || mode.prior_images ? Policy::blend : Policy::adabn;
    blend.layers = {};
    r.settle = [&](std::size_t group, std::int64_t, std::span<const exec::LevelMoments> moments,
                   std::span<exec::Affine> affines) {
      for (const exec::LevelMoments& m : moments) {
        const stats::Statistics own{
            {source[m.set].name, m.moments.mean(), m.moments.variance(stats::Divisor::population)}};
        const stats::Statistics used = apply_policy(blend, {layers()[m.set]}, {source[m.set]}, own,
                                                    static_cast<std::int64_t>(r.groups[group].size()));
        affines[m.set] = affine(m.set, used[0].mean, used[0].variance, false);
      }
    };
    sweeper.run(r, progress);
    return outputs;
  }
};

Engine::Engine(const graph::Graph& graph, const EngineOptions& options)
    : state_(std::make_unique<State>(graph, options)) {}
Engine::~Engine() = default;

const std::vector<graph::BatchNorm>& Engine::batch_norms() const noexcept { return state_->layers(); }
std::int64_t Engine::outputs() const noexcept { return state_->plan->output_floats(); }
const stats::Statistics& Engine::source() const noexcept { return state_->source; }

stats::Statistics Engine::measure(const Mode& mode, const Images& adapt, const Progress& progress) {
  require_images(adapt);
  return std::move(state_->measure(mode, one_group(adapt.count), adapt, progress).front());
}

Outputs Engine::infer(const stats::Statistics& statistics, const Images& images, const Progress& progress) {
  require_images(images);
  Outputs outputs;
  state_->infer(statistics, one_group(images.count).front(), images, outputs, progress);
  return outputs;
}

ModeResult Engine::run(const Mode& mode, const Images& adapt, const Images* evaluate, const Progress& progress) {
  require_valid(mode);
  ModeResult result;
  const Stopwatch adapting;
  stats::Statistics target = state_->source;
  if (measures(mode.policy)) {
    require_images(adapt);
    // A layerwise sweep ends with the adapted network's own outputs.
    const bool same = evaluate == &adapt && mode.policy == Policy::adabn && mode.semantics == Semantics::layerwise;
    if (same) {
      result.outputs.emplace();
      const Groups all = one_group(adapt.count);
      target = std::move(state_->measure_whole(mode, all, adapt, &*result.outputs, progress).front());
    } else {
      target = measure(mode, adapt, progress);
    }
    result.adapted_images = static_cast<std::int64_t>(adapt.count);
    result.seconds.adapt = adapting.seconds();
  }
  const Stopwatch evaluating;
  if (!exportable(mode.policy)) {
    if (evaluate != nullptr)
      result.outputs = state_->evaluate_groups(mode, one_group(evaluate->count), *evaluate, progress);
  } else {
    result.statistics =
        apply_policy(mode, state_->layers(), state_->source, target, static_cast<std::int64_t>(adapt.count));
    if (measures(mode.policy)) result.measured = std::move(target);
    if (evaluate != nullptr && !result.outputs) result.outputs = infer(result.statistics, *evaluate, progress);
  }
  if (evaluate != nullptr) result.seconds.evaluate = evaluating.seconds();
  return result;
}

DomainResults Engine::run_domains(std::span<const Domain> domains, const Images& images, bool evaluate,
                                  const Progress& progress) {
  require_images(images);
  const Groups groups = groups_of(domains, images.count);
  // How a domain is measured is the same for all; what the policy then is may differ.
  const Mode& measuring = domains.front().mode;
  const auto any = [&](auto is) { return std::any_of(domains.begin(), domains.end(), is); };
  DomainResults results;
  const Stopwatch adapting;
  std::vector<stats::Statistics> targets(domains.size(), state_->source);
  const bool measured = any([](const Domain& d) { return measures(d.mode.policy); });
  const auto swept = [&](const Domain& d) {
    return evaluate && d.mode.policy == Policy::adabn && d.mode.semantics == Semantics::layerwise;
  };
  if (measured) {
    const bool outputs_too = any(swept);
    if (outputs_too)
      targets = state_->measure_whole(measuring, groups, images, &results.outputs.emplace(), progress);
    else
      targets = state_->measure(measuring, groups, images, progress);
    results.seconds.adapt = adapting.seconds();
  }
  const Stopwatch evaluating;
  for (std::size_t d = 0; d < domains.size(); ++d) {
    const Mode& mode = domains[d].mode;
    ModeResult& result = results.domains.emplace_back();
    if (!exportable(mode.policy)) continue;
    const auto count = static_cast<std::int64_t>(groups[d].size());
    if (measured) result.adapted_images = count;
    result.statistics = apply_policy(mode, state_->layers(), state_->source, targets[d], count);
    if (measured) result.measured = std::move(targets[d]);
    if (evaluate && !swept(domains[d])) {
      if (!results.outputs) results.outputs.emplace();
      state_->infer(result.statistics, groups[d], images, *results.outputs, progress);
    }
  }
  if (evaluate && !exportable(measuring.policy))
    results.outputs = state_->evaluate_groups(measuring, groups, images, progress);
  if (evaluate) results.seconds.evaluate = evaluating.seconds();
  return results;
}

}  // namespace shiftnorm::adapt
