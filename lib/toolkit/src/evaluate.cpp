#include "shiftnorm/toolkit/evaluate.hpp"

#include <fmt/format.h>

#include <set>
#include <string_view>

#include "job_session.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/stopwatch.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/toolkit/advice.hpp"
#include "shiftnorm/toolkit/domains.hpp"
#include "shiftnorm/toolkit/run.hpp"
#include "shiftnorm/toolkit/scoring.hpp"
#include "shiftnorm/toolkit/statistics.hpp"
#include "target_mixture.hpp"

namespace shiftnorm::toolkit {
namespace {

constexpr std::string_view kOwnKey = "__metadata__";

/// A file of tensors takes each name once, and one of its own not at all.
void check_output_names(const graph::Graph& graph) {
  std::set<std::string_view> names{kOwnKey};
  for (const graph::ValueId id : graph.outputs())
    if (const std::string& name = graph.value(id).name; !names.insert(name).second)
      throw UnsupportedError(
          name == kOwnKey
              ? fmt::format("--outputs: an output of the network is called '{}', which safetensors reserves; "
                            "expected another name",
                            printable(name))
              : fmt::format("--outputs: two outputs of the network are called '{}'; expected a name for each",
                            printable(name)));
}

SessionOptions session_of(const EvaluateOptions& options, const adapt::Mode& mode) {
  SessionOptions session =
      job_session(options.session, options.checkpoint, options.architecture, options.data, options.preprocess);
  session.modes = {mode};
  if (options.domain) session.data.dataset.keep.push_back(options.domain->key);
  if (!options.statistics) return session;
  if (session.network.weights.empty()) session.network.weights = options.statistics->weights;
  if (!session.preprocess && !options.statistics->preprocess_steps.empty()) {
    session.preprocess = config::parse_pipeline(options.statistics->preprocess_steps, "--stats");
    session.preprocess->name = options.statistics->preprocess;
  }
  return session;
}

Scorer scorer_for(const Session& session, results::RunResults& results, int threads) {
  config::EvaluateConfig evaluate;
  evaluate.metrics = config::default_metrics(!results.findings.empty());
  return scorer_of(session, every_image(session.images.count), evaluate, results.seed, threads, false, results);
}

adapt::ModeResult with_statistics(const Session& session, const adapt::Mode& mode, const stats::StatisticsFile& file,
                                  const Progress& progress) {
  if (file.preprocess_sha256 != session.preprocess_sha256)
    throw ConfigError(fmt::format("--stats: was measured with the preprocessing '{}'; expected the one in use, '{}'",
                                  printable(file.preprocess), session.preprocess));
  adapt::ModeResult result;
  try {
    result.statistics = applied(session.model, file, mode);
  } catch (const Error&) {
    rethrow_at("--stats");
  }
  const Stopwatch watch;
  result.outputs = session.engine->infer(result.statistics, session.images, progress);
  result.seconds.evaluate = watch.seconds();
  return result;
}

/// Each image under its own domain's statistics.
std::vector<adapt::LeftOut> run_domains(Evaluated& out, const Scorer& scorer, const config::DomainConfig& by,
                                        const Progress& progress) {
  const Domains domains = find_domains(out.session, by);
  std::vector<adapt::Domain> treated = treatments(out.mode, domains, by);
  MixtureFinder finder(out.session, out.results.seed);
  const std::vector<std::optional<results::MixtureFacts>> mixtures = find_mixtures(finder, treated, progress);
  adapt::Engine& engine = *out.session.engine;
  adapt::DomainResults result = engine.run_domains(treated, out.session.images, true, progress);
  for (std::size_t d = 0; d < treated.size(); ++d)
    correct_outputs(treated[d].mode, out.session.outputs, domains.images[d], *result.outputs);
  out.results.domain_key = domains.key;
  out.results.modes.push_back(report_domains(scorer, out.mode, domains, treated, result,
                                             engine.source_known() ? engine.source() : stats::Statistics{}));
  for (std::size_t d = 0; d < mixtures.size(); ++d) {
    out.results.modes.back().domains[d].mixture = mixtures[d];
    if (mixtures[d])
      for (const std::string& note : notes_on(*mixtures[d]))
        out.notes.push_back(fmt::format("domain '{}': {}", domains.names[d], note));
  }
  out.outputs = std::move(*result.outputs);
  std::vector<adapt::LeftOut> left_out;
  for (const adapt::ModeResult& one : result.domains)
    left_out.insert(left_out.end(), one.left_out.begin(), one.left_out.end());
  return left_out;
}

std::vector<adapt::LeftOut> run_whole(Evaluated& out, const Scorer& scorer, const EvaluateOptions& options) {
  const Progress& progress = options.events.progress;
  const adapt::Images& images = out.session.images;
  CarriedOut carried = MixtureFinder(out.session, out.results.seed).find(out.mode, every_image(images.count), progress);
  out.mode = carried.mode;
  adapt::ModeResult result = options.statistics
                                 ? with_statistics(out.session, out.mode, *options.statistics, progress)
                                 : out.session.engine->run(out.mode, images, adapt::kSameImages, progress);
  if (result.outputs) correct_outputs(out.mode, out.session.outputs, *result.outputs);
  out.results.modes.push_back(scorer.report(out.mode, result));
  if (carried.mixture)
    for (std::string& note : notes_on(*carried.mixture)) out.notes.push_back(std::move(note));
  out.results.modes.back().mixture = std::move(carried.mixture);
  out.outputs = std::move(*result.outputs);
  return std::move(result.left_out);
}

}  // namespace

std::vector<std::byte> Evaluated::outputs_file() const {
  container::Json ids = container::Json::array();
  for (const std::string& id : session.ids()) ids.push(printable(id, id.size() + 1));
  std::vector<std::pair<std::string, Array>> arrays;
  for (std::size_t which = 0; which <= outputs.others.size(); ++which) {
    const graph::Value& value = session.model.graph.value(session.model.graph.outputs().at(which));
    std::vector<std::int64_t> extents = value.shape->extents();
    extents.at(0) = static_cast<std::int64_t>(session.store->size());
    arrays.emplace_back(value.name, Array::from_floats(Shape(std::move(extents)),
                                                       which == 0 ? outputs.values : outputs.others[which - 1].values));
  }
  return container::write_safetensors(arrays, {{"ids", container::write_json(ids)}});
}

Evaluated evaluate(const EvaluateOptions& options) {
  adapt::require_valid(options.mode);
  Evaluated out;
  out.mode = options.statistics ? measured_mode(*options.statistics, options.mode) : options.mode;
  const SessionOptions wanted = session_of(options, out.mode);
  out.session = open_session(wanted, options.events.progress);
  if (wanted.all_outputs) check_output_names(out.session.model.graph);
  tell_of_session(out.session, options.events);
  out.results = describe(out.session);
  out.results.seed = options.seed;
  const Scorer scorer = scorer_for(out.session, out.results, wanted.threads);
  const std::vector<adapt::LeftOut> left_out = options.domain
                                                   ? run_domains(out, scorer, *options.domain, options.events.progress)
                                                   : run_whole(out, scorer, options);
  for (const adapt::LeftOut& one : left_out)
    out.notes.push_back(fmt::format("{}: {}; left out", printable(out.results.ids.at(one.image)), one.reason));
  if (!options.statistics)
    for (std::string& note : notes_on_batches(out.mode, out.results.labels)) out.notes.push_back(std::move(note));
  if (const std::string& note = out.results.modes.front().note; !note.empty()) out.notes.push_back(note);
  return out;
}

}  // namespace shiftnorm::toolkit
