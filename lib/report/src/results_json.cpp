#include <fmt/format.h>

#include <cmath>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/experiment/config.hpp"
#include "shiftnorm/experiment/libraries.hpp"
#include "shiftnorm/report/report.hpp"
#include "verdict.hpp"
#include "view.hpp"

namespace shiftnorm::report {
namespace {

using container::Json;
using experiment::Comparison;
using experiment::ModeReport;
using experiment::RunResults;

// A thousand classes squared, per mode, make a file that nobody reads; predictions.csv carries the same.
constexpr std::size_t kMostConfusionClasses = 100;

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

template <class T>
Json value_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json undefined(const std::string& reason) { return Json::object({{"value", Json()}, {"reason", reason}}); }

Json score_json(const metrics::Score& score) {
  if (score.value && std::isfinite(*score.value)) return Json::object({{"value", *score.value}});
  return undefined(!score.reason.empty() ? score.reason : score.value ? "the value is not finite" : "undefined");
}

/// Of a metric or a comparison. `drawn` tells what resamples were free to change, where there were any.
template <class Result>
void add_interval(Json& json, const Result& result) {
  json.set("low", result.interval ? Json(result.interval->low) : Json());
  json.set("high", result.interval ? Json(result.interval->high) : Json());
  if (!result.interval) {
    json.set("reason", result.reason.empty() ? "no interval was made" : result.reason);
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
  if (mode.metrics.empty()) {
    for (const metrics::MetricSpec& spec : metrics::metric_table())
      if (spec.by_default)
        out.set(std::string(spec.name), undefined(view.labelled == 0 ? "the images have no labels" : "not evaluated"));
    return out;
  }
  for (const experiment::MetricResult& result : mode.metrics) {
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
  const auto classes = static_cast<std::size_t>(std::llround(std::sqrt(static_cast<double>(mode.confusion.size()))));
  if (classes == 0 || classes * classes != mode.confusion.size() || classes > kMostConfusionClasses) {
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

/// Only what the user restricted.
Json layers_json(const adapt::LayerRule& rule) {
  Json out = Json::object();
  if (!rule.include.empty()) out.set("include", container::texts_json(rule.include));
  if (!rule.exclude.empty()) out.set("exclude", container::texts_json(rule.exclude));
  if (rule.first) out.set("first", *rule.first);
  if (rule.last) out.set("last", *rule.last);
  if (rule.min_level) out.set("min_level", *rule.min_level);
  if (rule.max_level) out.set("max_level", *rule.max_level);
  return out;
}

void add_settings(Json& out, const adapt::Mode& mode) {
  const bool in_batches = mode.semantics == adapt::Semantics::batch || mode.policy == adapt::Policy::batch;
  // Null: in the order in which they come.
  if (in_batches) out.set("batch", mode.batch).set("shuffle", value_or_null(mode.shuffle));
  if (mode.momentum) out.set("momentum", *mode.momentum);
  if (mode.source_weight) out.set("source_weight", *mode.source_weight);
  if (mode.prior_images) out.set("prior_images", *mode.prior_images);
  if (!(mode.layers == adapt::LayerRule{})) out.set("layers", layers_json(mode.layers));
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
  for (const experiment::SubgroupReport& group : mode.subgroups)
    out.push(Json::object({{"column", group.column},
                           {"name", group.name},
                           {"images", group.images},
                           {"labelled", group.labelled},
                           {"metrics", metrics_json(view, group)}}));
  return out;
}

Json findings_json(const View& view, const ModeReport& mode) {
  Json out = Json::array();
  for (const experiment::FindingReport& finding : mode.findings)
    out.push(Json::object({{"name", finding.name},
                           {"known", finding.known},
                           {"positive", finding.positive},
                           {"metrics", metrics_json(view, finding)}}));
  return out;
}

Json stream_json(const ModeReport& mode) {
  Json out = Json::array();
  for (const experiment::StreamBatch& batch : mode.stream)
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

Json split_json(const std::optional<experiment::SplitFacts>& split) {
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
  for (const experiment::DomainReport& domain : mode.domains) {
    Json one = Json::object(
        {{"name", domain.name}, {"images", domain.images}, {"policy", adapt::name_of(domain.mode.policy)}});
    if (domain.measured > 0) one.set("measured", domain.measured);
    if (domain.mode.prior_images) one.set("prior_images", *domain.mode.prior_images);
    one.set("fell_back", domain.fell_back);
    one.set("metrics", metrics_json(view, domain));
    one.set("mean_confidence", domain.mean_confidence).set("mean_entropy", domain.mean_entropy);
    if (!domain.drift.empty()) one.set("drift", drift_json(domain));
    if (!domain.settling.layers.empty()) one.set("settling", settling_json(domain.settling));
    out.push(std::move(one));
  }
  return out;
}

Json label_free_json(const experiment::LabelFree& from) {
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

Json mode_json(const View& view, const ModeReport& report) {
  const bool measured = adapt::measures(report.mode.policy);
  Json out = Json::object({{"name", report.mode.name},
                           {"policy", adapt::name_of(report.mode.policy)},
                           {"semantics", measured ? Json(adapt::name_of(report.mode.semantics)) : Json()},
                           {"estimator", measured ? Json(adapt::name_of(report.mode.estimator)) : Json()}});
  add_settings(out, report.mode);
  out.set("metrics", metrics_json(view, report));
  out.set("versus_source", versus_json(view, report));
  out.set("mean_confidence", report.mean_confidence);
  out.set("mean_entropy", report.mean_entropy);
  out.set("seconds", Json::object({{"adapt", report.adapt_seconds}, {"evaluate", report.evaluate_seconds}}));
  out.set("images_per_second",
          value_or_null(report.images_per_second > 0 ? std::optional(report.images_per_second) : std::nullopt));
  if (!report.taken.adapt.empty() || !report.taken.evaluate.empty())
    out.set("taken_over", Json::object({{"adapt", text_or_null(report.taken.adapt)},
                                        {"evaluate", text_or_null(report.taken.evaluate)}}));
  if (!report.note.empty()) out.set("note", report.note);
  if (!report.drift.empty()) out.set("drift", drift_json(report));
  if (!report.settling.layers.empty()) out.set("settling", settling_json(report.settling));
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
  const Verdict said = verdict(view);
  Json because = Json::array({Json(said.headline)});
  for (const std::string& line : said.because) because.push(line);
  return Json::object(
      {{"mode", value_or_null(said.mode)}, {"because", std::move(because)}, {"confidence", said.confidence}});
}

Json labels_json(const RunResults& run) {
  if (!run.label_counts) return {};
  const imaging::LabelCounts& counts = *run.label_counts;
  return Json::object({{"file", counts.file},
                       {"matched", counts.matched},
                       {"images_without_label", counts.images_without_label},
                       {"labels_without_image", counts.labels_without_image},
                       {"ambiguous", counts.ambiguous}});
}

/// Which domains the data have; scores stand with the modes.
Json domains_json(const RunResults& run) {
  if (run.domain_key.empty() || run.modes.empty()) return {};
  Json list = Json::array();
  for (const experiment::DomainReport& domain : run.modes.front().domains)
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
                       {"domain", domains_json(run)},
                       {"fingerprint", text_or_null(run.fingerprint)}});
}

}  // namespace

container::Json settling_json(const experiment::Settling& settling) {
  const auto number = [](double value) { return std::isfinite(value) ? Json(value) : Json(); };
  Json layers = Json::array();
  for (const stats::LayerSettling& layer : settling.layers)
    layers.push(Json::object({{"layer", layer.name}, {"error", number(layer.error)}, {"shift", number(layer.shift)}}));
  return Json::object(
      {{"images", settling.images},
       {"settled", settling.settled()},
       {"threshold", stats::kSettled},
       {"worst", Json::object({{"layer", settling.worst()->name}, {"error", number(settling.worst()->error)}})},
       {"prior_images", settling.prior ? Json(*settling.prior) : Json()},
       {"layers", std::move(layers)}});
}

namespace {

/// How intervals were made; null where nothing was scored.
Json interval_json(const RunResults& run) {
  if (run.clusters == 0) return {};
  return Json::object({{"method", experiment::name_of(run.interval)},
                       {"by", run.interval_by},
                       {"clusters", run.clusters},
                       {"resamples", run.resamples},
                       {"level", run.level}});
}

Json program_json(const RunResults& run) {
  return Json::object({{"version", run.program_version},
                       {"instruction_set", run.instruction_set},
                       {"libraries", experiment::libraries_json(run.libraries)}});
}

}  // namespace

std::string results_json(const RunResults& run) {
  const View view(run);
  Json out = Json::object({{"schema", 1},
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
  for (const imaging::Bad& one : run.bad) bad.push(Json::object({{"id", one.id}, {"reason", one.reason}}));
  for (const ModeReport& mode : run.modes) modes.push(mode_json(view, mode));
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

}  // namespace shiftnorm::report
