#include "reference_sample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "array_axes.hpp"
#include "probabilities.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/toolkit/reference.hpp"
#include "shiftnorm/toolkit/run.hpp"
#include "shiftnorm/toolkit/statistics.hpp"
#include "source_overlap.hpp"

namespace shiftnorm::toolkit {
namespace {

/// An image's shares of the groups, from its label or findings where they are known.
std::vector<double> shares_of(const imaging::Sample& sample, const std::vector<double>& probabilities, bool findings,
                              bool by_outputs) {
  if (!findings) {
    if (by_outputs || sample.label < 0) return probabilities;
    std::vector<double> q(probabilities.size(), 0.0);
    q.at(static_cast<std::size_t>(sample.label)) = 1;
    return q;
  }
  std::vector<double> q;
  for (std::size_t f = 0; f < probabilities.size(); ++f) {
    const bool known = !by_outputs && f < sample.findings.size() && sample.findings[f] >= 0;
    const double present = known ? sample.findings[f] : probabilities[f];
    q.push_back(1 - present);
    q.push_back(present);
  }
  return q;
}

std::vector<std::string> class_names(const Session& session, const imaging::Dataset& dataset) {
  std::vector<std::string> names = dataset.classes();
  if (!std::cmp_equal(names.size(), session.engine->outputs())) names = output_names(session);
  return names;
}

/// Names that say what they mean; numbers are what outputs are called where nothing is known.
bool numbered(const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] != std::to_string(i)) return false;
  return true;
}

bool needs_reference(const SessionOptions& options) {
  return std::ranges::any_of(options.modes, [](const adapt::Mode& m) { return m.policy == adapt::Policy::matched; });
}

void require_same(const std::string& name, std::string_view what, const std::string& found,
                  const std::string& expected) {
  if (found == expected) return;
  throw ConfigError(fmt::format("{}: was made with the {} {}; expected {}", name, what,
                                found.empty() ? "none" : printable(found, 40),
                                expected.empty() ? "none" : printable(expected, 40)));
}

void check_classes(const LoadedReference& loaded, const Session& session) {
  const std::vector<std::string>&named = loaded.reference.classes, &target = session.dataset->classes();
  if (!std::cmp_equal(named.size(), session.engine->outputs()))
    throw ConfigError(fmt::format("{}: has {} classes; expected {}, as the network has outputs", loaded.name,
                                  named.size(), session.engine->outputs()));
  if (target.size() == named.size() && target != named && !numbered(target) && !numbered(named))
    throw ConfigError(fmt::format("{}: has the classes {}; expected those of the data, {}", loaded.name, join(named, 4),
                                  join(target, 4)));
}

LoadedReference from_source(const SessionOptions& options, Session& session, const Progress& progress) {
  imaging::DatasetOptions wanted = options.source->dataset;
  wanted.labelled = true;
  wanted.threads = options.threads;
  wanted.classes = options.data.dataset.classes;
  const std::shared_ptr<const imaging::Dataset> dataset =
      imaging::shifted(open_for(session.model, options.source->path.string(), wanted, *options.cache, {}),
                       options.source->shifts, options.shift_seed);
  const imaging::SampleStore store(dataset, session.pipeline, session.store->shape(),
                                   options.memory.store(options.threads), progress);
  compare_with_source(*dataset, store, true, session);
  std::vector<adapt::LeftOut> left_out;
  stats::Reference reference = measure_reference(session, {*dataset, store, false}, left_out, progress);
  ExportFacts facts;
  DataFacts data;
  data.preprocess = session.preprocess;
  data.preprocess_sha256 = session.preprocess_sha256;
  data.fingerprint = dataset->fingerprint();
  fill_facts(session.model, reference.images, facts, data, reference);
  for (std::string& note : notes_on_reference(reference)) session.notes.push_back(std::move(note));
  return loaded(std::move(reference), "data.source");
}

}  // namespace

stats::Reference measure_reference(const Session& session, const ReferenceSample& sample,
                                   std::vector<adapt::LeftOut>& left_out, const Progress& progress) {
  if (!session.classifies())
    throw ConfigError(
        fmt::format("the network gives {} for each image, not a vector of class scores; a reference is by "
                    "class, so expected a network that tells classes",
                    session.output().text()));
  const adapt::Engine& engine = *session.engine;
  if (!engine.source_known())
    throw ConfigError("no source statistics: the file holds none, so that there is no source to refer to");
  const bool findings =
      session.outputs == config::OutputKind::sigmoid || !sample.dataset.samples().front().findings.empty();
  std::vector<double> epsilons;
  for (const graph::BatchNorm& layer : engine.batch_norms()) epsilons.push_back(layer.epsilon);
  const auto empty = [&] {
    stats::Reference out =
        stats::empty_reference(engine.source(), epsilons, class_names(session, sample.dataset), findings);
    out.labelled = !sample.by_outputs && std::ranges::any_of(sample.dataset.samples(), &imaging::Sample::labelled);
    return out;
  };
  stats::Reference out = empty();
  const adapt::Images images{sample.store.size(),
                             [&](std::size_t i, std::span<float> dst) { sample.store.load(i, dst); }};
  const auto seen = [&](const adapt::SeenImage& image) {
    const std::vector<double> probabilities =
        probabilities_of(image.output, static_cast<std::int64_t>(image.output.size()), session.outputs, findings);
    if (!std::ranges::all_of(probabilities, [](double p) { return std::isfinite(p); })) return;
    const std::vector<double> q =
        shares_of(sample.store.sample(image.image), probabilities, findings, sample.by_outputs);
    out.add_image(q, probabilities);
    for (const adapt::SeenLayer& layer : image.layers)
      out.add_moments(layer.layer, q, layer.sum, layer.square, layer.values);
  };
  left_out = session.engine->each_image(
      engine.source(), images, "reference", seen, [&] { out = empty(); }, progress);
  return out;
}

void load_session_reference(const SessionOptions& options, Session& session) {
  if (options.reference.empty()) return;
  auto found = std::make_shared<LoadedReference>(load_reference(options.reference));
  require_same(found->name, "network", found->reference.model_sha256, session.model.checkpoint.sha256);
  require_same(found->name, "weights", found->reference.weights, session.model.source.weights);
  require_same(found->name, "architecture", found->reference.architecture, session.model.architecture);
  session.reference = std::move(found);
}

void settle_session_reference(const SessionOptions& options, Session& session, const Progress& progress) {
  if (!session.reference && options.source && needs_reference(options))
    session.reference = std::make_shared<const LoadedReference>(from_source(options, session, progress));
  if (!session.reference) {
    if (needs_reference(options))
      throw ConfigError(
          "policy matched: no reference of the training images; expected --reference (model.reference, which "
          "`shiftnorm reference` makes), or data.source");
    return;
  }
  const LoadedReference& loaded = *session.reference;
  require_same(loaded.name, "preprocessing", loaded.reference.preprocess_sha256, session.preprocess_sha256);
  check_classes(loaded, session);
}

}  // namespace shiftnorm::toolkit
