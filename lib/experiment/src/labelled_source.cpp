#include "labelled_source.hpp"

#include <algorithm>
#include <memory>

#include "shiftnorm/core/error.hpp"
#include "source_overlap.hpp"

namespace shiftnorm::experiment {

std::optional<metrics::Predictions> labelled_source(const SourceSample& sample, const Config& config, Session& session,
                                                    const RunOptions& options, const Progress& progress) {
  if (!session.classifies() || session.outputs == OutputKind::sigmoid) return std::nullopt;
  imaging::DatasetOptions wanted = sample.dataset;
  wanted.classes = config.classes;
  wanted.labelled = true;
  wanted.threads = options.threads;
  const std::shared_ptr<const imaging::Dataset> dataset =
      imaging::shifted(imaging::open_dataset(sample.where, wanted), sample.shifts, config.seed);
  imaging::StoreOptions limits;
  limits.threads = options.threads;
  if (options.memory > 0) limits.memory = std::min(limits.memory, options.memory / 4);
  const imaging::Pipeline pipeline =
      session.preprocess_yaml.empty() ? imaging::Pipeline{} : parse_pipeline(session.preprocess_yaml, "preprocess");
  const imaging::SampleStore store(dataset, pipeline, session.store->shape(), limits, progress);
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
  const adapt::Images images{labelled.size(),
                             [&](std::size_t i, std::span<float> dst) { store.load(labelled[i], dst); }};
  adapt::Mode mode;
  mode.name = "source";
  mode.policy = adapt::Policy::source;
  Progress named = progress;
  if (progress.report)
    named.report = [&](std::string_view, std::int64_t done, std::int64_t total) {
      progress.report("labelled source images", done, total);
    };
  const adapt::ModeResult result = session.engine->run(mode, images, &images, named);
  const std::vector<float>& values = result.outputs.value().values;
  out.probabilities = session.outputs == OutputKind::logits ? metrics::softmax(values, out.classes)
                                                            : std::vector<double>(values.begin(), values.end());
  return out;
}

}  // namespace shiftnorm::experiment
