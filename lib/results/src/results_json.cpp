#include "shiftnorm/results/results_json.hpp"

#include <fmt/format.h>

#include <cmath>

#include "json_parts.hpp"
#include "mixture_json.hpp"
#include "mode_json.hpp"
#include "shiftnorm/results/verdict.hpp"

namespace shiftnorm::results {
namespace {

using container::Json;

// A thousand classes squared, per mode, make a file that nobody reads; predictions.csv carries the same.
constexpr std::size_t kMostConfusionClasses = 100;

Json score_json(const metrics::Score& score) {
  if (score.value && std::isfinite(*score.value)) return Json::object({{"value", *score.value}});
  return Json::object({{"value", Json()}, {"reason", reason_of(score)}});
}

/// Of a metric or a comparison. `drawn` says what resamples were free to change, where there were any.
template <class Result>
void add_interval(Json& json, const Result& result) {
  json.set("low", result.interval ? Json(result.interval->low) : Json());
  json.set("high", result.interval ? Json(result.interval->high) : Json());
  if (!result.interval) {
    json.set("reason", reason_of(result));
    return;
  }
  if (result.method.empty()) return;
  Json how = Json::object({{"method", result.method}});
  if (result.method.starts_with("bootstrap") || result.method == "bca")
    how.set("drawn", result.within_classes ? "within classes" : "freely");
  json.set("interval", std::move(how));
}

template <class Report>
Json metrics_json(const View& view, const Report& mode) {
  Json out = Json::object();
  for (const MetricResult& result : told_metrics(view, mode.metrics)) {
    Json entry = score_json(result.score);
    if (!entry.at("value").is_null()) add_interval(entry, result);
    out.set(result.name, std::move(entry));
  }
  return out;
}

Json versus_json(const View& view, const ModeReport& mode) {
  Json out = Json::object();
  for (const Comparison& c : mode.versus_source) {
    Json entry = Json::object({{"difference", std::isfinite(c.difference) ? Json(c.difference) : Json()}});
    add_interval(entry, c);
    entry.set("test", text_or_null(c.test));
    entry.set("p", value_or_null(c.p));
    entry.set("p_holm", value_or_null(adjusted_p(view, c)));
    out.set(c.metric, std::move(entry));
  }
  return out;
}

Json per_class_json(const View& view, const ModeReport& mode) {
  Json out = Json::array();
  for (std::size_t c = 0; c < mode.per_class.size(); ++c) {
    const metrics::ClassScores& scores = mode.per_class[c];
    out.push(Json::object({{"class", class_name(view, c)},
                           {"support", scores.support},
                           {"precision", score_json(scores.precision)},
                           {"recall", score_json(scores.recall)},
                           {"f1", score_json(scores.f1)}}));
  }
  return out;
}

void add_confusion(Json& out, const ModeReport& mode) {
  const std::size_t classes = mode.per_class.size();
  if (classes == 0 || classes > kMostConfusionClasses || classes * classes != mode.confusion.size()) {
    out.set("confusion", Json());
    out.set("confusion_reason", classes > kMostConfusionClasses
                                    ? fmt::format("{} classes; written up to {}", classes, kMostConfusionClasses)
                                    : std::string("the images have no labels"));
    return;
  }
  Json rows = Json::array();
  for (std::size_t truth = 0; truth < classes; ++truth) {
    Json row = Json::array();
    for (std::size_t guess = 0; guess < classes; ++guess) row.push(mode.confusion[truth * classes + guess]);
    rows.push(std::move(row));
  }
  out.set("confusion", std::move(rows));
}

Json reliability_json(const ModeReport& mode) {
  Json out = Json::array();
  for (const metrics::ReliabilityBin& bin : mode.reliability)
    out.push(Json::object({{"low", bin.low},
                           {"high", bin.high},
                           {"count", bin.count},
                           {"confidence", bin.count > 0 ? Json(bin.confidence) : Json()},
                           {"accuracy", bin.count > 0 ? Json(bin.accuracy) : Json()}}));
  return out;
}

/// How far each layer's statistics moved from the source's; undefined numbers are written as null.
template <class Report>
Json drift_json(const Report& mode) {
  Json out = Json::array();
  for (const stats::LayerDistance& layer : mode.drift)
    out.push(Json::object({{"layer", layer.name},
                           {"mean_shift", layer.mean_shift},
                           {"variance_ratio", layer.variance_ratio},
                           {"symmetric_kl", layer.symmetric_kl},
                           {"wasserstein", layer.wasserstein},
                           {"constant_channels", layer.constant}}));
  return out;
}

Json subgroups_json(const View& view, const ModeReport& mode) {
  Json out = Json::array();
  for (const SubgroupReport& group : mode.subgroups)
    out.push(Json::object({{"column", group.column},
                           {"name", group.name},
                           {"images", group.images},
                           {"labelled", group.labelled},
                           {"metrics", metrics_json(view, group)}}));
  return out;
}

Json findings_json(const View& view, const ModeReport& mode) {
  Json out = Json::array();
  for (const FindingReport& finding : mode.findings)
    out.push(Json::object({{"name", finding.name},
                           {"known", finding.known},
                           {"positive", finding.positive},
                           {"metrics", metrics_json(view, finding)}}));
  return out;
}

Json stream_json(const ModeReport& mode) {
  Json out = Json::array();
  for (const StreamBatch& batch : mode.stream)
    out.push(Json::object({{"images", batch.images},
                           {"labelled", batch.labelled},
                           {"accuracy_before", batch.labelled > 0 ? Json(batch.before) : Json()},
                           {"accuracy_after", batch.labelled > 0 ? Json(batch.after) : Json()}}));
  return out;
}

/// Of the predictions that were made once each batch had been measured too.
Json after_json(const View& view, const ModeReport& after) {
  return Json::object({{"metrics", metrics_json(view, after)},
                       {"versus_source", versus_json(view, after)},
                       {"mean_confidence", after.mean_confidence},
                       {"mean_entropy", after.mean_entropy}});
}

Json split_json(const std::optional<SplitFacts>& split) {
  if (!split) return {};
  const auto side = [](std::int64_t images, const std::optional<std::int64_t>& patients) {
    return Json::object({{"images", images}, {"patients", value_or_null(patients)}});
  };
  return Json::object({{"by", split->by},
                       {"share", split->share},
                       {"adapt", side(split->adapt_images, split->adapt_patients)},
                       {"evaluate", side(split->evaluate_images, split->evaluate_patients)}});
}

Json domain_reports_json(const View& view, const ModeReport& mode) {
  Json out = Json::array();
  for (const DomainReport& domain : mode.domains) {
    Json one = Json::object({{"name", domain.name}, {"images", domain.images}, {"policy", domain.mode.policy}});
    if (domain.measured > 0) one.set("measured", domain.measured);
    if (domain.mode.prior_images) one.set("prior_images", *domain.mode.prior_images);
    one.set("fell_back", domain.fell_back);
    one.set("metrics", metrics_json(view, domain));
    one.set("mean_confidence", domain.mean_confidence).set("mean_entropy", domain.mean_entropy);
    if (!domain.drift.empty()) one.set("drift", drift_json(domain));
    if (!domain.settling.layers.empty()) one.set("settling", settling_json(domain.settling));
    if (domain.mixture) one.set("mixture", mixture_json(*domain.mixture));
    out.push(std::move(one));
  }
  return out;
}

Json label_free_json(const LabelFree& from) {
  Json shares = Json::array();
  for (const double share : from.shares) shares.push(share);
  Json reasons = Json::object();
  for (const auto& [name, reason] : from.reasons) reasons.set(name, reason);
  return Json::object({{"images", from.images},
                       {"confidence", from.confidence},
                       {"agreement_with_source", value_or_null(from.agreement)},
                       {"nuclear_norm", value_or_null(from.nuclear_norm)},
                       {"dispersion", value_or_null(from.dispersion)},
                       {"effective_classes", from.effective_classes},
                       {"predicted_shares", std::move(shares)},
                       {"atc", value_or_null(from.atc)},
                       {"cot", value_or_null(from.cot)},
                       {"label_shift", value_or_null(from.label_shift)},
                       {"reasons", std::move(reasons)}});
}

Json report_json(const View& view, const ModeReport& report) {
  Json out = mode_json(report.mode);
  out.set("metrics", metrics_json(view, report));
  out.set("versus_source", versus_json(view, report));
  out.set("mean_confidence", report.mean_confidence);
  out.set("mean_entropy", report.mean_entropy);
  out.set("seconds", Json::object({{"adapt", report.adapt_seconds}, {"evaluate", report.evaluate_seconds}}));
  out.set("images_per_second",
          value_or_null(report.images_per_second > 0 ? std::optional(report.images_per_second) : std::nullopt));
  if (!report.reused.adapt.empty() || !report.reused.evaluate.empty())
    out.set("taken_over", Json::object({{"adapt", text_or_null(report.reused.adapt)},
                                        {"evaluate", text_or_null(report.reused.evaluate)}}));
  if (!report.note.empty()) out.set("note", report.note);
  if (!report.drift.empty()) out.set("drift", drift_json(report));
  if (!report.settling.layers.empty()) out.set("settling", settling_json(report.settling));
  if (report.mixture) out.set("mixture", mixture_json(*report.mixture));
  if (report.label_free) out.set("label_free", label_free_json(*report.label_free));
  if (!report.domains.empty()) out.set("domains", domain_reports_json(view, report));
  if (!report.after.empty()) out.set("after", after_json(view, report.after.front()));
  if (!report.stream.empty()) out.set("stream", stream_json(report));
  if (!report.subgroups.empty()) out.set("subgroups", subgroups_json(view, report));
  if (!report.findings.empty()) out.set("findings", findings_json(view, report));
  out.set("per_class", per_class_json(view, report));
  add_confusion(out, report);
  out.set("reliability", reliability_json(report));
  return out;
}

Json recommendation_json(const RunResults& run) {
  if (!run.recommendation) return {};
  return Json::object({{"mode", value_or_null(run.recommendation->mode)},
                       {"because", container::texts_json(run.recommendation->because)},
                       {"confidence", run.recommendation->confidence}});
}

Json verdict_json(const View& view) {
  Verdict said;
  if (view.results.verdict) {
    said = *view.results.verdict;
  } else {
    const Judgement judged = judge(view);
    said = {judged.mode, {}, judged.confidence};
  }
  return Json::object({{"mode", value_or_null(said.mode)},
                       {"because", container::texts_json(said.because)},
                       {"confidence", said.confidence}});
}

Json labels_json(const RunResults& run) {
  if (!run.label_counts) return {};
  const LabelCounts& counts = *run.label_counts;
  return Json::object({{"file", counts.file},
                       {"matched", counts.matched},
                       {"images_without_label", counts.images_without_label},
                       {"labels_without_image", counts.labels_without_image},
                       {"ambiguous", counts.ambiguous}});
}

/// Which domains the data have; scores are with the modes.
Json domain_records_json(const RunResults& run) {
  if (run.domain_key.empty() || run.modes.empty()) return {};
  Json list = Json::array();
  for (const DomainReport& domain : run.modes.front().domains)
    list.push(Json::object({{"name", domain.name}, {"images", domain.images}}));
  return Json::object({{"key", run.domain_key}, {"domains", std::move(list)}});
}

Json target_json(const View& view) {
  const RunResults& run = view.results;
  return Json::object({{"images", run.images},
                       {"labelled", run.labelled.value_or(view.labelled)},
                       {"skipped", run.skipped},
                       {"bad", static_cast<std::int64_t>(run.bad.size())},
                       {"patients", value_or_null(run.patients)},
                       {"repeated_pixels", run.repeated},
                       {"labels", labels_json(run)},
                       {"domain", domain_records_json(run)},
                       {"fingerprint", text_or_null(run.fingerprint)}});
}

/// How intervals were made; null where nothing was scored.
Json interval_json(const RunResults& run) {
  if (run.clusters == 0) return {};
  return Json::object({{"method", metrics::kIntervalKinds.name_of(run.interval)},
                       {"by", run.interval_by},
                       {"clusters", run.clusters},
                       {"resamples", run.resamples},
                       {"level", run.level}});
}

Json program_json(const RunResults& run) {
  return Json::object({{"version", run.program_version},
                       {"instruction_set", run.instruction_set},
                       {"libraries", libraries_json(run.libraries)}});
}

}  // namespace

Json libraries_json(const std::vector<Library>& libraries) {
  if (libraries.empty()) return {};
  Json json = Json::object();
  for (const Library& one : libraries) json.set(one.name, one.version);
  return json;
}

std::string results_json(const RunResults& run) {
  const View view(run);
  Json out = Json::object({{"schema", kResultsSchema},
                           {"id", text_or_null(run.id)},
                           {"name", run.name},
                           {"protocol", run.protocol},
                           {"split", split_json(run.split)},
                           {"stream_batch", run.stream_batch > 0 ? Json(run.stream_batch) : Json()},
                           {"seed", run.seed},
                           {"program", program_json(run)},
                           {"model", Json::object({{"sha256", text_or_null(run.model_sha256)},
                                                   {"file", text_or_null(run.model_file)},
                                                   {"architecture", text_or_null(run.architecture)},
                                                   {"batchnorms", run.batchnorms},
                                                   {"levels", run.levels},
                                                   {"parameters", run.parameters},
                                                   {"assumptions", container::texts_json(run.assumptions)}})},
                           {"preprocess", Json::object({{"name", text_or_null(run.preprocess)},
                                                        {"sha256", text_or_null(run.preprocess_sha256)}})},
                           {"data", Json::object({{"target", target_json(view)}})},
                           {"interval", interval_json(run)},
                           {"seconds", Json::object({{"load", run.load_seconds}})}});
  Json classes = Json::array(), bad = Json::array(), modes = Json::array();
  for (const std::string& name : run.classes) classes.push(name);
  for (const BadFile& one : run.bad) bad.push(Json::object({{"id", one.id}, {"reason", one.reason}}));
  for (const ModeReport& mode : run.modes) modes.push(report_json(view, mode));
  out.set("classes", std::move(classes));
  out.set("modes", std::move(modes));
  out.set("verdict", verdict_json(view));
  out.set("recommendation", recommendation_json(run));
  out.set("export", run.exported_file.empty()
                        ? Json()
                        : Json::object({{"mode", run.exported_mode}, {"file", run.exported_file}}));
  out.set("bad", std::move(bad));
  return container::write_json(out, 2) + "\n";
}

}  // namespace shiftnorm::results
