#include "shiftnorm/results/job_json.hpp"

#include "shiftnorm/core/text.hpp"
#include "shiftnorm/results/results_json.hpp"

namespace shiftnorm::results {

using container::Json;

namespace {

Json metrics_json(const std::vector<MetricResult>& results) {
  Json metrics = Json::object();
  for (const MetricResult& result : results) {
    Json one = Json::object({{"value", container::value_or_null(result.score.value)}});
    if (!result.score.value) one.set("reason", result.score.reason);
    if (result.interval) one.set("low", result.interval->low).set("high", result.interval->high);
    if (result.score.value && !result.interval && !result.reason.empty()) one.set("reason", result.reason);
    metrics.set(result.name, std::move(one));
  }
  return metrics;
}

}  // namespace

Json metrics_json(const ModeReport& report, bool labelled) {
  Json metrics = metrics_json(report.metrics);
  if (!labelled && !report.probabilities.empty()) {
    metrics.set("confidence", Json::object({{"value", report.mean_confidence}}));
    metrics.set("entropy", Json::object({{"value", report.mean_entropy}}));
  }
  return metrics;
}

Json domains_json(const RunResults& results) {
  if (results.domain_key.empty()) return {};
  Json list = Json::array();
  for (const DomainReport& domain : results.modes.front().domains)
    list.push(Json::object({{"name", domain.name},
                            {"images", domain.images},
                            {"policy", domain.mode.policy},
                            {"fell_back", domain.fell_back},
                            {"metrics", metrics_json(domain.metrics)}}));
  return list;
}

Json findings_json(const ModeReport& report) {
  if (report.findings.empty()) return {};
  Json list = Json::array();
  for (const FindingReport& finding : report.findings)
    list.push(Json::object({{"name", finding.name},
                            {"known", finding.known},
                            {"positive", finding.positive},
                            {"metrics", metrics_json(finding.metrics)}}));
  return list;
}

Json job_json(JobDocument document) {
  Json json = Json::object(
      {{"schema", kResultsSchema},
       {"images", document.images},
       {"skipped", document.skipped},
       {"bad", document.bad},
       {"too_many_bad", document.too_many_bad},
       {"seconds", Json::object({{"load", document.load}, {"adapt", document.adapt}, {"evaluate", document.evaluate}})},
       {"images_per_second", document.images_per_second},
       {"outputs", std::move(document.outputs)},
       {"metrics", std::move(document.metrics)}});
  if (document.settling) json.set("settling", std::move(*document.settling));
  if (!document.findings.is_null()) json.set("findings", std::move(document.findings));
  if (!document.domains.is_null()) json.set("domains", std::move(document.domains));
  return json;
}

Json distances_json(const std::vector<stats::LayerDistance>& layers) {
  Json rows = Json::array();
  for (const stats::LayerDistance& layer : layers)
    rows.push(Json::object({{"layer", printable(layer.name)},
                            {"mean_shift", layer.mean_shift},
                            {"variance_ratio", layer.variance_ratio},
                            {"symmetric_kl", layer.symmetric_kl},
                            {"wasserstein", layer.wasserstein},
                            {"constant_channels", layer.constant}}));
  return rows;
}

}  // namespace shiftnorm::results
