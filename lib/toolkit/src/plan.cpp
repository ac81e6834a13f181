#include "shiftnorm/toolkit/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "result_cache.hpp"
#include "run_session.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/stopwatch.hpp"
#include "shiftnorm/toolkit/protocol.hpp"

namespace shiftnorm::toolkit {
namespace {

constexpr std::int64_t kProbeImages = 16;
constexpr double kShortest = 0.2;  ///< seconds: below it a clock says little of a few images

DataPlan listed(const std::string& where, imaging::DatasetOptions options, int threads) {
  options.threads = threads;
  const std::unique_ptr<imaging::Dataset> dataset = imaging::open_dataset(where, options);
  DataPlan plan;
  plan.images = static_cast<std::int64_t>(dataset->samples().size());
  plan.skipped = dataset->skipped();
  plan.tells_patients = options.ids == imaging::Ids::hash || imaging::tells_patients(*dataset);
  plan.notes = dataset->selection_notes();
  for (const std::string& name : dataset->classes()) plan.classes.emplace_back(name, 0);
  std::set<std::string> patients;
  for (const imaging::Sample& sample : dataset->samples()) {
    patients.insert(sample.patient);
    plan.labelled += sample.labelled() ? 1 : 0;
    if (sample.label >= 0) ++plan.classes.at(static_cast<std::size_t>(sample.label)).second;
    for (std::size_t f = 0; f < sample.findings.size() && f < plan.classes.size(); ++f)
      plan.classes[f].second += sample.findings[f] == 1 ? 1 : 0;
  }
  if (patients.size() > 1 || (patients.size() == 1 && !patients.begin()->empty()))
    plan.patients = static_cast<std::int64_t>(patients.size());
  return plan;
}

/// Seconds for each image of `work` on all of them, which is done until it took long enough to be timed.
template <class Work>
double seconds_per_image(std::int64_t images, Work work) {
  work();  // memory is taken and weights are read the first time
  double seconds = 0;
  for (std::int64_t carried = 0;;) {
    const Stopwatch working;
    work();
    seconds += working.seconds();
    carried += images;
    if (seconds >= kShortest) return seconds / static_cast<double>(carried);
  }
}

/// How a mode measures, on few images.
adapt::Mode probe_mode(adapt::Mode mode) {
  if (adapt::exportable(mode.policy)) return mode;
  mode.batch = mode.policy == adapt::Policy::instance ? 1 : std::min<std::int64_t>(mode.batch, kProbeImages);
  return mode;
}

bool in_groups(const adapt::Mode& mode) { return adapt::measures(mode.policy) || !adapt::exportable(mode.policy); }

struct Pace {
  double load = 0, measure = 0, infer = 0;  ///< seconds per image
};

Pace pace_of(const config::Config& config, const Session& session, const SessionOptions& options) {
  Pace pace;
  const auto images = static_cast<std::int64_t>(session.images.count);
  imaging::StoreOptions store;
  store.threads = options.threads;
  const Stopwatch loading;
  static_cast<void>(imaging::SampleStore(session.dataset, session.pipeline, session.store->shape(), store, {}));
  pace.load = loading.seconds() / static_cast<double>(images);
  adapt::Engine& engine = *session.engine;
  const auto measuring = std::ranges::find_if(config.modes, in_groups);
  if (measuring != config.modes.end()) {
    const adapt::Mode mode = probe_mode(*measuring);
    const adapt::Images* scored = adapt::exportable(mode.policy) ? nullptr : &session.images;
    pace.measure = seconds_per_image(images, [&] { static_cast<void>(engine.run(mode, session.images, scored, {})); });
  }
  pace.infer = !engine.source_known() ? pace.measure : seconds_per_image(images, [&] {
    static_cast<void>(engine.infer(engine.source(), session.images, {}));
  });
  return pace;
}

/// A session on a few images.
SessionOptions probing(SessionOptions options) {
  options.shared = {};
  const auto few = [](imaging::Limit& limit) {
    limit.per_class.reset();
    limit.images = std::min(limit.images.value_or(kProbeImages), kProbeImages);
  };
  few(options.data.dataset.limit);
  if (options.source) few(options.source->dataset.limit);
  return options;
}

void plan_modes(const config::Config& config, const adapt::Engine& engine, const Pace& pace, RunPlan& plan) {
  const bool streaming = config.protocol.kind == config::ProtocolKind::streaming;
  const bool same = config.protocol.kind == config::ProtocolKind::transductive;
  const std::vector<ExpectedWork> expected = expected_work(config.modes, same);
  for (std::size_t i = 0; i < config.modes.size(); ++i) {
    ModePlan& mode = plan.modes.emplace_back();
    mode.mode = streaming ? in_stream(config.modes[i], config.protocol.batch) : config.modes[i];
    const bool measures = adapt::measures(mode.mode.policy), groups = !engine.fixed(mode.mode);
    if (streaming) {  // each batch before and after it is measured
      mode.measured = measures ? plan.adapt_images : 0;
      mode.evaluated = (measures ? 2 : 1) * plan.evaluate_images;
    } else {
      mode.measured = expected[i].measures ? plan.adapt_images : 0;
      mode.evaluated = expected[i].evaluates ? plan.evaluate_images : 0;
      mode.reused = expected[i].reused;
    }
    const auto held = static_cast<std::size_t>(groups ? mode.evaluated : mode.measured);
    const std::size_t at_once = streaming ? std::min(held, static_cast<std::size_t>(config.protocol.batch)) : held;
    if (held > 0 && (measures || groups)) mode.cost = engine.cost(mode.mode, at_once, expected[i].gives_outputs);
    mode.adapt_seconds = static_cast<double>(mode.measured) * pace.measure;
    mode.evaluate_seconds = static_cast<double>(mode.evaluated) * (groups ? pace.measure : pace.infer);
  }
}

}  // namespace

bool RunPlan::keeps_config() const { return target.tells_patients || (source && source->tells_patients); }

double RunPlan::network_seconds() const {
  double seconds = 0;
  for (const ModePlan& mode : modes) seconds += mode.adapt_seconds + mode.evaluate_seconds;
  return seconds;
}

adapt::Cost RunPlan::largest() const {
  adapt::Cost most;
  for (const ModePlan& mode : modes) {
    most.carried_bytes = std::max(most.carried_bytes, mode.cost.carried_bytes);
    most.moved_bytes = std::max(most.moved_bytes, mode.cost.moved_bytes);
    most.local_bytes = std::max(most.local_bytes, mode.cost.local_bytes);
    most.spills = most.spills || mode.cost.spills;
  }
  return most;
}

RunPlan plan_run(const config::Config& config, const RunOptions& options, const Progress& progress) {
  const SessionOptions session_of = session_options(config, options);
  RunPlan plan;
  plan.target = listed(session_of.data.path.string(), session_of.data.dataset, options.threads);
  if (session_of.source)
    plan.source = listed(session_of.source->path.string(), session_of.source->dataset, options.threads);
  const SessionOptions few = probing(session_of);
  const Session session = open_session(few, progress);
  plan.model_file = session.model.checkpoint.file_name;
  plan.architecture = session.model.architecture;
  plan.assumptions = session.model.assumed();
  plan.batchnorms = static_cast<std::int64_t>(session.engine->batch_norms().size());
  plan.levels = session.levels();
  plan.parameters = session.model.parameters;
  plan.probe_images = static_cast<std::int64_t>(session.images.count);
  plan.adapt_images = plan.evaluate_images = plan.target.images;
  if (config.protocol.kind == config::ProtocolKind::held_out) {
    plan.adapt_images = std::llround(config.protocol.adapt * static_cast<double>(plan.target.images));
    plan.evaluate_images -= plan.adapt_images;
  }
  const Pace pace = pace_of(config, session, few);
  plan.load_seconds = pace.load * static_cast<double>(plan.target.images);
  if (plan.source) plan.load_seconds += pace.load * static_cast<double>(plan.source->images);
  plan_modes(config, *session.engine, pace, plan);
  return plan;
}

std::optional<std::string> note_on_spill(adapt::Engine& engine, const adapt::Mode& mode, const adapt::Images& images,
                                         bool outputs, const Progress& progress) {
  const adapt::Cost cost = engine.cost(mode, images.count, outputs);
  if (!cost.spills) return std::nullopt;
  Progress quiet = progress;
  quiet.report = nullptr;
  const adapt::Images few{std::min(images.count, static_cast<std::size_t>(kProbeImages)), images.load};
  const Stopwatch running;
  std::string time;
  try {
    static_cast<void>(engine.run(probe_mode(mode), few, adapt::exportable(mode.policy) ? nullptr : &few, quiet));
    const double seconds = running.seconds() * static_cast<double>(images.count) / static_cast<double>(few.count);
    time = fmt::format(", about {} by {} of the images and without waiting for the disk", in_time(seconds), few.count);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {  // of few images; all of them may do, and report their own errors
  }
  return fmt::format(
      "measuring {} images holds {} between the layers, more than the memory for it: a scratch file of "
      "that size in the temporary folder, {} written and read{}; fewer images, or a larger --memory, need less",
      images.count, in_bytes(cost.carried_bytes), in_bytes(cost.moved_bytes), time);
}

std::string in_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits{"bytes", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1000 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  return fmt::format("{:.{}f} {}", value, unit == 0 || value >= 100 ? 0 : 1, kUnits[unit]);
}

std::string in_time(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace shiftnorm::toolkit
