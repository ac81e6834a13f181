#include "labelled_source.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "array_axes.hpp"
#include "result_cache.hpp"
#include "run_session.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/toolkit/session_cache.hpp"
#include "source_overlap.hpp"

namespace shiftnorm::toolkit {

std::optional<metrics::Predictions> labelled_source(const config::Config& config, Session& session,
                                                    const RunOptions& options, const std::string& run,
                                                    const Progress& progress) {
  if (!session.classifies() || session.outputs == config::OutputKind::sigmoid) return std::nullopt;
  const config::DataConfig& sample = *config.source;
  imaging::DatasetOptions wanted = sample.dataset;
  wanted.classes = config.classes;
  wanted.labelled = true;
  wanted.threads = options.threads;
  const std::string key = fmt::format("labelled {}\n{}", fmt::join(config.classes, ","), source_key(config));
  const std::shared_ptr<const imaging::Dataset> dataset = imaging::shifted(
      open_for(session.model, sample.path.string(), wanted, *options.cache, key), sample.shifts, config.seed);
  const imaging::StoreOptions limits = options.memory.store(options.threads);
  const Shape& shape = session.store->shape();
  const auto load = [&] {
    return std::make_shared<imaging::SampleStore>(dataset, session.pipeline, shape, limits, progress);
  };
  const std::string samples = fmt::format("{}\n{}\n{}\n{}\nseed {}", key, wanted.layout, shape.text(),
                                          session.preprocess_sha256, sample.shifts.empty() ? 0 : config.seed);
  const std::shared_ptr<imaging::SampleStore> held = options.cache->store(SessionCache::Part::source, samples, load);
  const imaging::SampleStore& store = *held;
  compare_with_source(*dataset, store, false, session);
  metrics::Predictions out;
  out.classes = session.engine->outputs();
  std::vector<std::size_t> labelled;
  for (std::size_t i = 0; i < store.size(); ++i)
    if (const std::int32_t label = store.sample(i).label; label >= 0 && label < out.classes) {
      labelled.push_back(i);
      out.labels.push_back(label);
    }
  if (labelled.empty()) return std::nullopt;
  adapt::Mode mode;
  mode.name = "source";
  mode.policy = adapt::Policy::source;
  Progress named = progress;
  if (progress.report)
    named.report = [&](std::string_view, std::int64_t done, std::int64_t total) {
      progress.report("labelled source images", done, total);
    };
  const std::shared_ptr<ResultCache> work = options.cache->work(SessionCache::Part::source, session.engine, held);
  work->begin_run(run, {mode}, options.kept);
  const adapt::ModeResult result = std::move(work->run(mode, labelled, labelled, named).result);
  const std::vector<float>& values = result.outputs.value().values;
  out.probabilities = session.outputs == config::OutputKind::logits ? metrics::softmax(values, out.classes)
                                                                    : std::vector<double>(values.begin(), values.end());
  return out;
}

}  // namespace shiftnorm::toolkit
