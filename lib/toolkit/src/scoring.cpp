#include "shiftnorm/toolkit/scoring.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "probabilities.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/toolkit/domains.hpp"
#include "shiftnorm/toolkit/mode_facts.hpp"

namespace shiftnorm::toolkit {
namespace {

/// What is scored: the rows of images that have a label, or a finding that is known.
struct Answers {
  std::size_t images = 0;
  metrics::Predictions one;     ///< of images with one label each
  metrics::MultiLabel several;  ///< of images with several findings
  bool findings = false;

  [[nodiscard]] metrics::Resampled prepared(const metrics::MetricSpec& metric) const {
    return findings ? metrics::over_findings(metric, several) : metric.prepare(one);
  }
};

Answers answers(const std::vector<double>& probabilities, const Scorer& scorer) {
  Answers out;
  const std::vector<std::size_t> rows = scorer.labelled();
  out.images = rows.size();
  out.findings = !scorer.findings.empty();
  const std::size_t all = scorer.labels.size();
  const std::size_t width = all == 0 ? 0 : probabilities.size() / all;
  out.one.classes = out.several.outputs = static_cast<std::int64_t>(width);
  for (const std::size_t i : rows) {
    const std::span<const double> row(probabilities.data() + i * width, width);
    std::vector<double>& to = out.findings ? out.several.probabilities : out.one.probabilities;
    to.insert(to.end(), row.begin(), row.end());
    if (!out.findings) {
      out.one.labels.push_back(scorer.labels[i]);
      continue;
    }
    const auto known = scorer.findings.begin() + static_cast<std::ptrdiff_t>(i * width);
    out.several.labels.insert(out.several.labels.end(), known, known + static_cast<std::ptrdiff_t>(width));
  }
  return out;
}

results::MetricResult result_of(const std::string& name, const metrics::Resampled& statistic, std::size_t images,
                                const metrics::Bootstrap& bootstrap) {
  metrics::IntervalEstimate made = metrics::confidence_interval(statistic, images, bootstrap);
  return {name,
          statistic(std::vector<std::uint32_t>(images, 1)),
          made.interval,
          std::move(made.method),
          std::move(made.reason),
          made.within_classes};
}

/// The bootstrap over some images of the scorer.
metrics::Bootstrap bootstrap_on(const Scorer& scorer, std::span<const std::size_t> images) {
  metrics::Bootstrap options{scorer.evaluate.resamples, scorer.evaluate.level, scorer.seed, scorer.threads,
                             scorer.evaluate.interval};
  options.clusters = among(scorer.clusters, images).of;
  return options;
}

/// Whether some of these images are not separate evidence.
bool clustered(const Scorer& scorer, std::span<const std::size_t> images) {
  return scorer.clusters.known() && among(scorer.clusters, images).count < images.size();
}

/// Means over the images of the largest probability and of the entropy (nats); images without finite outputs left out.
void fill_certainty(results::ModeReport& report, std::size_t images) {
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
    return mode.batch == 1 ? std::string("each image is normalised by its own statistics alone: its batch is of 1")
                           : fmt::format("each output depends on the other images of its batch of {}", mode.batch);
  return {};
}

/// Of a finding that no image states.
results::MetricResult untold(const std::string& name) {
  results::MetricResult result;
  result.name = name;
  result.reason = result.score.reason = "no image states it";
  return result;
}

/// Each finding separately, over the images of which it is known.
std::vector<results::FindingReport> findings_of(const Scorer& scorer, const Answers& scored,
                                                const std::vector<std::size_t>& rows) {
  std::vector<results::FindingReport> out;
  for (std::int64_t output = 0; output < scored.several.outputs; ++output) {
    const metrics::Finding finding = metrics::finding(scored.several, output);
    const auto index = static_cast<std::size_t>(output);
    results::FindingReport& report = out.emplace_back();
    report.name = index < scorer.finding_names.size() ? scorer.finding_names[index] : fmt::format("output {}", output);
    report.known = static_cast<std::int64_t>(finding.images.size());
    report.positive = std::ranges::count(finding.predictions.labels, 1);
    std::vector<std::size_t> images;
    for (const std::size_t i : finding.images) images.push_back(rows[i]);
    const metrics::Bootstrap bootstrap = bootstrap_on(scorer, images);
    for (const std::string& name : scorer.evaluate.metrics)
      report.metrics.push_back(images.empty() ? untold(name)
                                              : result_of(name, metrics::metric(name).prepare(finding.predictions),
                                                          images.size(), bootstrap));
  }
  return out;
}

results::SubgroupReport of_subgroup(const Scorer& scorer, const Subgroup& subgroup, const adapt::Mode& mode,
                                    const adapt::Outputs& outputs) {
  const Scorer part = scorer.on(subgroup.images);
  adapt::ModeResult rows;
  rows.outputs.emplace().width = outputs.width;
  const auto width = static_cast<std::ptrdiff_t>(outputs.width);
  for (const std::size_t i : subgroup.images) {
    const auto row = outputs.values.begin() + static_cast<std::ptrdiff_t>(i) * width;
    rows.outputs->values.insert(rows.outputs->values.end(), row, row + width);
  }
  results::SubgroupReport out{subgroup.column,
                              subgroup.name,
                              static_cast<std::int64_t>(subgroup.images.size()),
                              static_cast<std::int64_t>(part.labelled().size()),
                              {}};
  out.metrics = part.report(mode, rows).metrics;
  return out;
}

}  // namespace

results::ModeReport Scorer::report(const adapt::Mode& mode, const adapt::ModeResult& result) const {
  if (!result.outputs) throw Error(fmt::format("mode '{}' was not evaluated", mode.name));
  results::ModeReport report;
  report.mode = facts_of(mode);
  report.note = note_on(mode);
  report.adapt_seconds = result.seconds.adapt;
  report.evaluate_seconds = result.seconds.evaluate;
  const bool adapted = result.adapted_images > 0 && result.seconds.adapt > 0;
  const double stage = adapted ? result.seconds.adapt : result.seconds.evaluate;
  const double images = adapted ? static_cast<double>(result.adapted_images) : static_cast<double>(labels.size());
  if (stage > 0) report.images_per_second = images / stage;
  if (!classifies) {
    report.note += fmt::format("{}the network's output is not a vector of class scores: nothing is scored",
                               report.note.empty() ? "" : "; ");
    return report;
  }
  report.probabilities = probabilities_of(result.outputs->values, result.outputs->width, outputs, !findings.empty());
  if (outputs == config::OutputKind::sigmoid && findings.empty()) {
    report.note += fmt::format("{}outputs are sigmoids, one answer each: metrics of one label per image do not apply",
                               report.note.empty() ? "" : "; ");
    return report;
  }
  if (findings.empty()) fill_certainty(report, labels.size());

  const std::vector<std::size_t> rows = labelled();
  if (rows.empty()) return report;
  const Answers given = answers(report.probabilities, *this);
  const metrics::Bootstrap bootstrap = bootstrap_on(*this, rows);
  for (const std::string& name : evaluate.metrics)
    report.metrics.push_back(result_of(name, given.prepared(metrics::metric(name)), rows.size(), bootstrap));
  if (given.findings) {
    report.findings = findings_of(*this, given, rows);
  } else {
    report.per_class = metrics::per_class(given.one);
    report.confusion = metrics::confusion_matrix(given.one);
    report.reliability = metrics::reliability(given.one);
  }
  for (const Subgroup& subgroup : subgroups)
    report.subgroups.push_back(of_subgroup(*this, subgroup, mode, *result.outputs));
  return report;
}

void Scorer::compare(results::ModeReport& report, const results::ModeReport& source) const {
  if (!classifies || (outputs == config::OutputKind::sigmoid && findings.empty())) return;
  const std::vector<std::size_t> rows = labelled();
  if (rows.empty()) return;
  const Answers before = answers(source.probabilities, *this), after = answers(report.probabilities, *this);
  const metrics::Bootstrap bootstrap = bootstrap_on(*this, rows);
  const bool together = clustered(*this, rows), same = source.probabilities == report.probabilities;
  for (const std::string& name : evaluate.metrics) {
    const metrics::MetricSpec& metric = metrics::metric(name);
    metrics::PairedEstimate paired =
        metrics::paired_difference(before.prepared(metric), after.prepared(metric), rows.size(), bootstrap, same);
    if (together && paired.test == "bootstrap") paired.test = "clustered bootstrap";
    metrics::IntervalEstimate& made = paired.interval;
    report.versus_source.push_back({name, paired.difference.value_or(std::numeric_limits<double>::quiet_NaN()),
                                    made.interval, std::move(paired.test), paired.p, std::move(made.method),
                                    std::move(made.reason), made.within_classes});
  }
}

std::vector<std::size_t> Scorer::labelled() const {
  std::vector<std::size_t> rows;
  const std::size_t width = labels.empty() ? 0 : findings.size() / labels.size();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::span<const std::int8_t> own(findings.data() + i * width, width);
    if (labels[i] >= 0 || std::ranges::any_of(own, [](std::int8_t known) { return known >= 0; })) rows.push_back(i);
  }
  return rows;
}

Scorer Scorer::on(std::span<const std::size_t> images) const {
  Scorer part = *this;
  part.subgroups.clear();
  part.labels.clear();
  part.findings.clear();
  part.clusters = among(clusters, images);
  const std::size_t width = labels.empty() ? 0 : findings.size() / labels.size();
  for (const std::size_t i : images) {
    part.labels.push_back(labels.at(i));
    const auto own = findings.begin() + static_cast<std::ptrdiff_t>(i * width);
    part.findings.insert(part.findings.end(), own, own + static_cast<std::ptrdiff_t>(width));
  }
  return part;
}

Scorer scorer_of(const Session& session, const std::vector<std::size_t>& images, const config::EvaluateConfig& evaluate,
                 std::uint64_t seed, int threads, bool show_names, results::RunResults& results) {
  Scorer all{evaluate, seed, session.outputs, session.labels(), threads, session.classifies(), session.findings()};
  all.finding_names = session.dataset->classes();
  results.interval_by = !evaluate.by.empty() ? evaluate.by : session.patients.known() ? "patient" : "image";
  if (results.interval_by == "patient" && !session.patients.known())
    throw ConfigError(
        "evaluate.interval.by = patient: patients are not identified; "
        "expected image, a column, or a table with patients (data.target.patient)");
  if (results.interval_by == "patient")
    all.clusters = session.patients;
  else if (results.interval_by != "image")
    all.clusters = column_groups(session, results.interval_by);
  Scorer scorer = all.on(images);
  const std::vector<std::size_t> scored = scorer.labelled();
  results.clusters =
      scorer.clusters.known() ? among(scorer.clusters, scored).count : static_cast<std::int64_t>(scored.size());
  for (const std::string& column : evaluate.subgroups) {
    const Domains parts = find_domains(session, {.key = column, .shown = show_names});
    for (std::size_t d = 0; d < parts.names.size(); ++d) {
      Subgroup subgroup{column, parts.names[d], {}};
      for (std::size_t i = 0; i < images.size(); ++i)
        if (std::ranges::binary_search(parts.images[d], images[i])) subgroup.images.push_back(i);
      if (!subgroup.images.empty()) scorer.subgroups.push_back(std::move(subgroup));
    }
  }
  return scorer;
}

}  // namespace shiftnorm::toolkit
