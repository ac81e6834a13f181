#include "shiftnorm/experiment/scoring.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::experiment {
namespace {

std::vector<double> to_probabilities(const adapt::Outputs& outputs, OutputKind kind) {
  if (kind == OutputKind::logits) return metrics::softmax(outputs.values, outputs.width);
  return {outputs.values.begin(), outputs.values.end()};
}

metrics::Predictions labelled_rows(const std::vector<double>& probabilities, const std::vector<std::int32_t>& labels) {
  metrics::Predictions predictions;
  if (labels.empty()) return predictions;
  const std::size_t width = probabilities.size() / labels.size();
  predictions.classes = static_cast<std::int64_t>(width);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0) continue;
    predictions.labels.push_back(labels[i]);
    const auto row = probabilities.begin() + static_cast<std::ptrdiff_t>(i * width);
    predictions.probabilities.insert(predictions.probabilities.end(), row, row + static_cast<std::ptrdiff_t>(width));
  }
  return predictions;
}

/// Means over the images of the largest probability and of the entropy (nats); images without finite outputs left out.
void fill_certainty(ModeReport& report, std::size_t images) {
  const std::size_t width = images == 0 ? 0 : report.probabilities.size() / images;
  std::size_t finite = 0;
  for (std::size_t i = 0; i < images; ++i) {
    const std::span<const double> row(report.probabilities.data() + i * width, width);
    if (!std::ranges::all_of(row, [](double p) { return std::isfinite(p); })) continue;
    ++finite;
    report.mean_confidence += *std::ranges::max_element(row);
    for (const double p : row) report.mean_entropy -= p > 0 ? p * std::log(p) : 0;
  }
  if (finite > 0) {
    report.mean_confidence /= static_cast<double>(finite);
    report.mean_entropy /= static_cast<double>(finite);
  }
  if (finite < images)
    report.note += fmt::format("{}{} of {} images gave outputs that are not finite", report.note.empty() ? "" : "; ",
                               images - finite, images);
}

std::string note_on(const adapt::Mode& mode) {
  if (mode.policy == adapt::Policy::batch)
    return fmt::format("each output depends on the other images of its batch of {}", mode.batch);
  return {};
}

}  // namespace

ModeReport Scorer::report(const adapt::Mode& mode, const adapt::ModeResult& result) const {
  if (!result.outputs) throw Error(fmt::format("mode '{}' was not evaluated", mode.name));
  ModeReport report;
  report.mode = mode;
  report.note = note_on(mode);
  report.adapt_seconds = result.seconds.adapt;
  report.evaluate_seconds = result.seconds.evaluate;
  const bool adapted = result.adapted_images > 0 && result.seconds.adapt > 0;
  const double stage = adapted ? result.seconds.adapt : result.seconds.evaluate;
  const double images = adapted ? static_cast<double>(result.adapted_images) : static_cast<double>(labels.size());
  if (stage > 0) report.images_per_second = images / stage;
  report.probabilities = to_probabilities(*result.outputs, outputs);
  fill_certainty(report, labels.size());

  const metrics::Predictions predictions = labelled_rows(report.probabilities, labels);
  if (predictions.images() == 0) return report;
  const metrics::Bootstrap bootstrap{evaluate.resamples, evaluate.level, seed, threads, evaluate.interval};
  for (const std::string& name : evaluate.metrics) {
    const metrics::MetricSpec& metric = metrics::metric(name);
    report.metrics.push_back(
        {name, metrics::score(metric, predictions), metrics::bootstrap_interval(metric, predictions, bootstrap)});
  }
  report.per_class = metrics::per_class(predictions);
  report.confusion = metrics::confusion_matrix(predictions);
  report.reliability = metrics::reliability(predictions);
  return report;
}

void Scorer::compare(ModeReport& report, const ModeReport& source) const {
  const metrics::Predictions before = labelled_rows(source.probabilities, labels);
  const metrics::Predictions after = labelled_rows(report.probabilities, labels);
  if (after.images() == 0) return;
  const metrics::Bootstrap bootstrap{evaluate.resamples, evaluate.level, seed, threads, evaluate.interval};
  for (const std::string& name : evaluate.metrics) {
    const auto paired = metrics::bootstrap_paired(metrics::metric(name), before, after, bootstrap);
    if (!paired) continue;
    Comparison comparison{name, paired->difference, paired->interval, "bootstrap", paired->p};
    if (name == "accuracy") {
      comparison.test = "mcnemar";
      comparison.p = metrics::mcnemar(before, after).p;
    }
    if (name == "auroc" && after.classes == 2) {
      if (const auto delong = metrics::delong_paired(before, after, evaluate.level)) {
        comparison.test = "delong";
        comparison.p = delong->p;
      }
    }
    report.versus_source.push_back(std::move(comparison));
  }
}

}  // namespace shiftnorm::experiment
