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

std::vector<std::vector<std::size_t>> one_group(std::size_t count) {
  std::vector<std::vector<std::size_t>> groups(1, std::vector<std::size_t>(count));
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

std::vector<std::vector<std::size_t>> batches(std::size_t count, std::size_t batch,
                                              std::optional<std::uint64_t> shuffle) {
  std::vector<std::size_t> order = std::move(one_group(count)[0]);
  if (shuffle) {
    std::uint64_t state = *shuffle;
    for (std::size_t i = count; i > 1; --i) {
      // Rejection keeps every order equally likely.
      const std::uint64_t limit = UINT64_MAX - UINT64_MAX % i;
      std::uint64_t draw = next_random(state);
      while (draw >= limit) draw = next_random(state);
      std::swap(order[i - 1], order[draw % i]);
    }
  }
  std::vector<std::vector<std::size_t>> groups;
  for (std::size_t at = 0; at < count; at += batch)
    groups.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(at),
                        order.begin() + static_cast<std::ptrdiff_t>(std::min(count, at + batch)));
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
      scale[c] = layers()[layer].gain(plain ? 1.0 : gamma[layer][c], variance[c]);
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
    r.output = [&outputs](std::size_t index, std::size_t, std::span<const float> row) {
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

  stats::Statistics measure_whole(const Mode& mode, const Images& images, Outputs* outputs, const Progress& progress) {
    exec::SweepRequest r = request(source, images, "adapt");
    r.levels = levels(mode.layers);
    r.settled = mode.semantics == Semantics::layerwise;
    r.groups = one_group(images.count);
    if (outputs != nullptr) collect(*outputs, images.count, r);
    stats::Statistics target = source;
    r.settle = [&](std::size_t, std::int64_t, std::span<const exec::LevelMoments> moments,
                   std::span<exec::Affine> affines) {
      for (const exec::LevelMoments& m : moments) {
        stats::LayerStatistics& layer = target[m.set];
        layer.values = m.moments.values();
        layer.images = static_cast<std::int64_t>(images.count);
        layer.batches = 1;
        layer.sums = m.moments;
        stats::estimate(stats::Pooling::values, layer);
        if (r.settled) affines[m.set] = affine(m.set, layer.mean, layer.variance, false);
      }
    };
    sweeper.run(r, progress);
    return target;
  }

  stats::Statistics measure_batches(const Mode& mode, const Images& images, const Progress& progress) {
    exec::SweepRequest r = request(source, images, "adapt");
    r.levels = levels(mode.layers);
    r.groups = batches(images.count, static_cast<std::size_t>(mode.batch), mode.shuffle);
    BatchEstimator estimator(mode, layers(), source);
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
      for (const exec::LevelMoments& m : mine)
        estimator.add(m.set, group, static_cast<std::int64_t>(r.groups[group].size()), m.moments);
    };
    sweeper.run(r, progress);
    return estimator.finish();
  }

  /// Policies `batch` and `instance`: each group is normalised with its own statistics, blended with the source if
  /// asked.
  Outputs evaluate_groups(const Mode& mode, const Images& images, const Progress& progress) {
    exec::SweepRequest r = request(source, images, "evaluate");
    r.levels = levels(mode.layers);
    r.groups =
        batches(images.count, mode.policy == Policy::instance ? 1 : static_cast<std::size_t>(mode.batch), mode.shuffle);
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
  if (mode.semantics == Semantics::batch) return state_->measure_batches(mode, adapt, progress);
  return state_->measure_whole(mode, adapt, nullptr, progress);
}

Outputs Engine::infer(const stats::Statistics& statistics, const Images& images, const Progress& progress) {
  require_images(images);
  exec::SweepRequest r = state_->request(statistics, images, "evaluate");
  r.groups = one_group(images.count);
  Outputs outputs;
  state_->collect(outputs, images.count, r);
  state_->sweeper.run(r, progress);
  return outputs;
}

ModeResult Engine::run(const Mode& mode, const Images& adapt, const Images* evaluate, const Progress& progress) {
  const std::vector<std::string> wrong = problems(mode);
  if (!wrong.empty())
    throw ConfigError(fmt::format("mode '{}': {}", mode.name, fmt::format("{}", fmt::join(wrong, "; "))));
  ModeResult result;
  const Stopwatch adapting;
  stats::Statistics target = state_->source;
  if (measures(mode.policy)) {
    require_images(adapt);
    // A layerwise sweep ends with the adapted network's own outputs.
    const bool same = evaluate == &adapt && mode.policy == Policy::adabn && mode.semantics == Semantics::layerwise;
    if (same) {
      result.outputs.emplace();
      target = state_->measure_whole(mode, adapt, &*result.outputs, progress);
    } else {
      target = measure(mode, adapt, progress);
    }
    result.adapted_images = static_cast<std::int64_t>(adapt.count);
    result.seconds.adapt = adapting.seconds();
  }
  const Stopwatch evaluating;
  if (!exportable(mode.policy)) {
    if (evaluate != nullptr) result.outputs = state_->evaluate_groups(mode, *evaluate, progress);
  } else {
    result.statistics =
        apply_policy(mode, state_->layers(), state_->source, target, static_cast<std::int64_t>(adapt.count));
    if (measures(mode.policy)) result.measured = std::move(target);
    if (evaluate != nullptr && !result.outputs) result.outputs = infer(result.statistics, *evaluate, progress);
  }
  if (evaluate != nullptr) result.seconds.evaluate = evaluating.seconds();
  return result;
}

}  // namespace shiftnorm::adapt
