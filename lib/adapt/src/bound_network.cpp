#include "bound_network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "batching.hpp"
#include "layer_rule.hpp"
#include "shiftnorm/adapt/mixture.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/graph/marks.hpp"

namespace shiftnorm::adapt {
namespace {

std::vector<double> values_of(const graph::Graph& graph, graph::ValueId id) {
  const Tensor& tensor = *graph.value(id).tensor;
  return {tensor.values.begin(), tensor.values.end()};
}

bool finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

}  // namespace

stats::Statistics source_statistics(const graph::Graph& graph, const std::vector<graph::BatchNorm>& layers) {
  stats::Statistics source;
  for (const graph::BatchNorm& layer : layers)
    source.push_back({layer.name, values_of(graph, layer.mean), values_of(graph, layer.variance)});
  return source;
}

void require_variance(const graph::BatchNorm& layer, const stats::ChannelMoments& moments) {
  if (moments.values() < 2)
    throw ConfigError(fmt::format(
        "layer '{}': a group of {} image(s) gives one value per channel, which has no variance; expected larger groups "
        "(batch), or this layer left out (layers)",
        layer.name, moments.images()));
}

BoundNetwork::BoundNetwork(const graph::Graph& g, const EngineOptions& o)
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

exec::Affine BoundNetwork::affine(std::size_t layer, const std::vector<double>& mean,
                                  const std::vector<double>& variance, bool plain) const {
  std::vector<double> scale(mean.size()), shift(mean.size());
  for (std::size_t c = 0; c < mean.size(); ++c) {
    scale[c] = layers()[layer].gain(plain ? 1.0 : gamma[layer][c], variance[c]);
    shift[c] = (plain ? 0.0 : beta[layer][c]) - mean[c] * scale[c];
  }
  return whole.plan->affine(scale, shift);
}

exec::SweepRequest BoundNetwork::request(const Network& network, const stats::Statistics& statistics,
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

void BoundNetwork::collect(Outputs& outputs, std::size_t count, exec::SweepRequest& r) const {
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

bool BoundNetwork::fixed(const Mode& mode) const {
  return exportable(mode.policy) && !(mode.policy == Policy::source && source_by_batch());
}

bool BoundNetwork::source_by_batch() const {
  return std::any_of(layers().begin(), layers().end(),
                     [this](const graph::BatchNorm& layer) { return graph::by_batch(graph, layer).has_value(); });
}

std::size_t BoundNetwork::group_size(const Mode& mode) const {
  if (mode.policy == Policy::source)
    for (const graph::BatchNorm& layer : layers())
      if (const std::int64_t images = graph::by_batch(graph, layer).value_or(0); images > 0)
        return static_cast<std::size_t>(images);
  return batch_size(mode);
}

std::vector<bool> BoundNetwork::by_group(const Mode& mode) const {
  std::vector<bool> measured = measured_by(mode.policy == Policy::source ? LayerRule{} : mode.layers);
  if (mode.policy == Policy::source)
    for (std::size_t i = 0; i < measured.size(); ++i)
      measured[i] = measured[i] && graph::by_batch(graph, layers()[i]).has_value();
  return measured;
}

std::vector<bool> BoundNetwork::measured_by(const LayerRule& rule) const {
  std::vector<bool> measured = chosen(rule, layers());
  for (std::size_t i = 0; i < measured.size(); ++i) measured[i] = measured[i] && reachable[i];
  return measured;
}

std::vector<std::int64_t> BoundNetwork::levels(const Network& network, const std::vector<bool>& measured) const {
  std::vector<graph::BatchNorm> sets = network.plan->sets();
  std::vector<bool> sets_measured;
  for (const std::size_t i : network.owner) sets_measured.push_back(measured[i]);
  graph::assign_levels(graph, sets, sets_measured);
  std::vector<std::int64_t> out;
  for (const graph::BatchNorm& set : sets) {
    if (!set.ordered)
      throw UnsupportedError(
          fmt::format("layer '{}': one use depends on another use of itself, so that semantics layerwise has no exact "
                      "order; expected semantics batch",
                      set.name));
    out.push_back(set.level);
  }
  return out;
}

void BoundNetwork::require_source(const Mode& mode) const {
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

void BoundNetwork::require_mixture(const Mode& mode) const {
  if (mode.policy != Policy::matched) return;
  if (!mode.mixture)
    throw ConfigError(
        "policy matched has no reference of the training images; expected --reference, model.reference or data.source");
  const auto alike = [](const stats::LayerStatistics& a, const stats::LayerStatistics& b) {
    return a.name == b.name && a.mean.size() == b.mean.size();
  };
  if (!std::ranges::all_of(mode.mixture->parts,
                           [&](const MixturePart& p) { return std::ranges::equal(p.moments, source, alike); }))
    throw ConfigError("the reference has other layers than the network; expected one made from this checkpoint");
}

}  // namespace shiftnorm::adapt
