#include "shiftnorm/toolkit/job_document.hpp"

namespace shiftnorm::toolkit {
namespace {

/// Counts and times of an estimate; `adapt`: seconds.
results::JobDocument counted(const Session& session, const std::vector<results::BadFile>& bad, double adapt) {
  results::JobDocument document;
  document.bad = static_cast<std::int64_t>(bad.size());
  document.images = static_cast<std::int64_t>(session.store->size() + session.store->bad().size()) - document.bad;
  document.skipped = session.dataset->skipped();
  document.load = session.load_seconds;
  document.adapt = adapt;
  return document;
}

}  // namespace

results::JobDocument document_of(const Adapted& outcome) {
  results::JobDocument document = counted(outcome.session, outcome.bad, outcome.result.seconds.adapt);
  if (document.adapt > 0) document.images_per_second = static_cast<double>(outcome.images) / document.adapt;
  if (!outcome.settling.layers.empty()) document.settling = results::settling_json(outcome.settling);
  return document;
}

results::JobDocument document_of(const AdaptedDomains& outcome) {
  results::JobDocument document = counted(outcome.session, outcome.bad, outcome.results.seconds.adapt);
  if (document.adapt > 0) document.images_per_second = static_cast<double>(document.images) / document.adapt;
  return document;
}

results::JobDocument document_of(const Evaluated& outcome) {
  const results::RunResults& results = outcome.results;
  const results::ModeReport& report = results.modes.front();
  results::JobDocument document;
  document.images = results.images;
  document.skipped = results.skipped;
  document.bad = static_cast<std::int64_t>(results.bad.size());
  document.load = results.load_seconds;
  document.adapt = report.adapt_seconds;
  document.evaluate = report.evaluate_seconds;
  document.images_per_second = report.images_per_second;
  document.metrics = results::metrics_json(report, !report.metrics.empty());
  document.domains = results::domains_json(results);
  document.findings = results::findings_json(report);
  return document;
}

}  // namespace shiftnorm::toolkit
