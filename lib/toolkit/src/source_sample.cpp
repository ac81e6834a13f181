#include "source_sample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "array_axes.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/graph/fold.hpp"
#include "shiftnorm/toolkit/reference.hpp"
#include "source_overlap.hpp"

namespace shiftnorm::toolkit {
namespace {

using adapt::Policy;

std::string convolutions(const std::vector<graph::FoldedLayer>& layers) {
  std::vector<std::string> names;
  names.reserve(layers.size());
  for (const graph::FoldedLayer& layer : layers) names.push_back(printable(layer.name));
  return fmt::format("{} convolution{} ({})", layers.size(), layers.size() == 1 ? "" : "s", join(names, 3));
}

/// A sample's means are those of its classes. The even mixture of k classes counts as k, one class alone as 1.
std::optional<std::string> one_sided(const imaging::SampleStore& store, const imaging::Dataset& dataset,
                                     std::int64_t outputs) {
  std::map<std::int32_t, double> count;
  double images = 0;
  for (std::size_t i = 0; i < store.size(); ++i) {
    if (store.sample(i).label < 0) continue;
    ++count[store.sample(i).label];
    ++images;
  }
  if (count.empty()) return std::nullopt;
  double entropy = 0;
  for (const auto& [label, n] : count) entropy -= n / images * std::log(n / images);
  const double expected = std::min(static_cast<double>(outputs), images);
  if (std::exp(entropy) >= expected / 2) return std::nullopt;
  const auto [label, most] =
      *std::ranges::max_element(count, {}, [](const std::pair<const std::int32_t, double>& one) { return one.second; });
  const auto index = static_cast<std::size_t>(label);
  return fmt::format(
      "the source sample leans towards few classes: {:.0f} of {:.0f} images are of class '{}'; the result will lean "
      "the same way; take images of all classes, as the network was trained on",
      most, images, index < dataset.classes().size() ? printable(dataset.classes()[index]) : std::to_string(label));
}

graph::Graph unfolded(graph::Graph graph, std::span<const graph::FoldedLayer> layers) {
  graph::unfold(graph, layers);
  return graph;
}

/// Mean and variance of every folded layer's output on the sample, through the network as it is.
void measure(const SessionOptions& options, const imaging::SampleStore& store, const graph::Graph& graph,
             std::vector<graph::FoldedLayer>& layers, const Progress& progress) {
  adapt::Engine engine(unfolded(graph, layers), {.threads = options.threads, .memory = options.memory.total});
  const adapt::Images images{store.size(), [&store](std::size_t i, std::span<float> dst) { store.load(i, dst); }};
  adapt::Mode mode;
  mode.semantics = adapt::Semantics::source;
  Progress named = progress;
  if (progress.report)
    named.report = [&](std::string_view, std::int64_t done, std::int64_t total) {
      progress.report("source sample", done, total);
    };
  const stats::Statistics measured = engine.measure(mode, images, named);
  for (std::size_t i = 0; i < measured.size(); ++i) {
    if (!engine.batch_norms()[i].folded) continue;
    const auto layer = std::ranges::find(layers, measured[i].name, &graph::FoldedLayer::name);
    if (layer == layers.end()) throw Error(fmt::format("layer '{}' was not put in", measured[i].name));
    layer->mean = measured[i].mean;
    layer->variance = measured[i].variance;
  }
}

/// The same from a reference: its own mixture is the sample's.
void from_reference(const LoadedReference& loaded, std::vector<graph::FoldedLayer>& layers) {
  const stats::Reference& reference = loaded.reference;
  std::vector<std::pair<std::size_t, double>> all;
  double images = 0;
  const std::size_t groups = reference.findings ? 2 : reference.groups();  // each finding's two hold every image
  for (std::size_t g = 0; g < groups; ++g) images += reference.images_of(g);
  for (std::size_t g = 0; g < groups; ++g)
    if (reference.images_of(g) > 0) all.emplace_back(g, reference.images_of(g) / images);
  for (graph::FoldedLayer& layer : layers) {
    const auto found = std::ranges::find(reference.layers, layer.name, &stats::ReferenceLayer::name);
    if (found == reference.layers.end())
      throw ConfigError(fmt::format("{}: has no layer '{}'; expected a reference made from this checkpoint",
                                    loaded.name, printable(layer.name)));
    const stats::LayerStatistics mixed =
        reference.mixture(static_cast<std::size_t>(found - reference.layers.begin()), all);
    layer.mean = mixed.mean;
    layer.variance = mixed.variance;
  }
}

}  // namespace

void check_folded(const RestoredModel& model, const SessionOptions& options) {
  const std::vector<graph::FoldedLayer> layers = folded_layers(model);
  if (layers.empty()) return;
  const bool nothing_else = graph::batch_norms(model.graph).empty();
  for (const adapt::Mode& mode : options.modes) {
    if (!options.source && options.reference.empty() && nothing_else && mode.policy != Policy::source)
      throw FormatError(fmt::format(
          "{}: its BatchNorms were folded into {}, so that the statistics of the training images are lost; "
          "expected a small unlabelled sample of those (--source-data, data.source), a reference made from one "
          "(--reference, model.reference), or the unfolded file",
          model.checkpoint.file_name, convolutions(layers)));
    if ((options.source || !options.reference.empty()) &&
        (mode.policy == Policy::disabled || mode.policy == Policy::identity || mode.policy == Policy::normalise_only))
      throw ConfigError(
          fmt::format("{}: policy {} removes parts of a BatchNorm, which are permanently folded into {}; expected a "
                      "policy that changes statistics, such as adabn",
                      model.checkpoint.file_name, adapt::name_of(mode.policy), convolutions(layers)));
  }
}

void bring_back_folded(const SessionOptions& options, const imaging::Pipeline& pipeline, Session& session,
                       const Progress& progress) {
  RestoredModel& model = session.model;
  std::vector<graph::FoldedLayer> layers = folded_layers(model);
  if (session.reference && !layers.empty()) {
    from_reference(*session.reference, layers);
    graph::unfold(model.graph, layers);
    session.source_fingerprint = session.reference->sha256;
    session.source_images = session.reference->reference.images;
    return;
  }
  if (!options.source) {
    if (!layers.empty() && !graph::batch_norms(model.graph).empty())
      session.notes.push_back(
          fmt::format("{}: {} look as if a BatchNorm had been folded into them; "
                      "without a source sample they stay as they are",
                      model.checkpoint.file_name, convolutions(layers)));
    return;
  }
  if (layers.empty()) {
    session.notes.push_back(fmt::format(
        "no statistics are taken from the source sample: "
        "no BatchNorm of {} is folded away, the file holds their source statistics{}",
        model.checkpoint.file_name, options.labelled_source ? "; its labels are used for the recommendation" : ""));
    return;
  }
  imaging::DatasetOptions wanted = options.source->dataset;
  const std::shared_ptr<const imaging::Dataset> dataset =
      imaging::shifted(open_for(model, options.source->path.string(), wanted, *options.cache, {}),
                       options.source->shifts, options.shift_seed);
  const std::string name = imaging::shown_name(*dataset, options.source->path.string());
  if (dataset->images() != session.dataset->images())
    throw ConfigError(fmt::format("{}: {}; expected the kind of the target data", name,
                                  dataset->images() ? "holds images" : "holds arrays that enter as they are"));
  const imaging::StoreOptions limits = options.memory.store(options.threads);
  const imaging::SampleStore store(dataset, pipeline, session.store->shape(), limits, progress);
  if (!options.source_is_data) compare_with_source(*dataset, store, true, session);
  measure(options, store, model.graph, layers, progress);
  graph::unfold(model.graph, layers);

  session.source_fingerprint = dataset->fingerprint();
  session.source_images = static_cast<std::int64_t>(store.size());
  const Shape& scores = *model.graph.value(model.graph.outputs().at(0)).shape;
  if (auto warning = one_sided(store, *dataset, scores.elements())) session.notes.push_back(std::move(*warning));
  if (!store.bad().empty())
    session.notes.push_back(fmt::format("{}: {} of {} files of the source sample could not be used, e.g. {}: {}", name,
                                        store.bad().size(), store.size() + store.bad().size(), store.bad()[0].id,
                                        store.bad()[0].reason));
}

}  // namespace shiftnorm::toolkit
