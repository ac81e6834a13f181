#include "shiftnorm/results/run_record.hpp"

#include <cmath>

#include "shiftnorm/results/view.hpp"

namespace shiftnorm::results {
namespace {

/// NaN and infinities are not values.
std::optional<double> finite(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? value : std::nullopt;
}

void add_comparison(const ModeReport& mode, ScoreRecord& score) {
  const Comparison* paired = find_comparison(mode, score.metric);
  if (paired == nullptr) return;
  score.difference = finite(paired->difference);
  if (paired->interval) {
    score.difference_low = finite(paired->interval->low);
    score.difference_high = finite(paired->interval->high);
  }
  score.test = paired->test;
  score.p = paired->p;
  if (score.reason.empty() && !paired->interval) score.reason = "versus source: " + reason_of(*paired);
}

void add_scores(const View& view, const ModeReport& mode, RunRecord& record) {
  ScoreRecord base;
  base.mode = mode.mode.name;
  base.policy = mode.mode.policy;
  base.semantics = mode.mode.semantics;
  base.estimator = mode.mode.estimator;
  for (const MetricResult& metric : told_metrics(view, mode.metrics)) {
    ScoreRecord score = base;
    score.metric = metric.name;
    score.value = finite(metric.score.value);
    if (score.value && metric.interval) {
      score.low = finite(metric.interval->low);
      score.high = finite(metric.interval->high);
    }
    if (!score.value || !metric.interval) score.reason = reason_of(metric);
    add_comparison(mode, score);
    record.scores.push_back(std::move(score));
  }
  for (const auto& [name, value] :
       {std::pair("mean_confidence", mode.mean_confidence), std::pair("mean_entropy", mode.mean_entropy)})
    if (std::isfinite(value)) {
      ScoreRecord score = base;
      score.metric = name;
      score.value = value;
      record.scores.push_back(std::move(score));
    }
}

}  // namespace

RunRecord record_of(const RunResults& run) {
  RunRecord record;
  record.id = run.id;
  record.name = run.name;
  record.protocol = run.protocol;
  record.seed = static_cast<std::int64_t>(run.seed);
  record.program_version = run.program_version;
  record.instruction_set = run.instruction_set;
  record.model_sha256 = run.model_sha256;
  record.model_file = run.model_file;
  record.architecture = run.architecture;
  record.preprocess = run.preprocess;
  record.fingerprint = run.fingerprint;
  record.images = run.images;
  record.patients = run.patients;
  const View view(run);
  for (const ModeReport& mode : run.modes) add_scores(view, mode, record);
  record.settings = run.settings;
  return record;
}

std::string short_id(const std::string& id) {
  constexpr std::size_t kDigits = 12;
  return id.substr(0, kDigits);
}

}  // namespace shiftnorm::results
