#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "json_parts.hpp"
#include "mixture_json.hpp"
#include "mode_json.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/results/results_json.hpp"

namespace shiftnorm::results {

using container::Json;

std::string text_at(const Json& object, std::string_view key) {
  const Json* found = object.find(key);
  return found == nullptr || found->is_null() ? std::string() : found->as_string();
}

std::optional<double> number_at(const Json& object, std::string_view key) {
  const Json* found = object.find(key);
  if (found == nullptr || found->is_null()) return std::nullopt;
  return found->as_number();
}

std::optional<std::int64_t> integer_at(const Json& object, std::string_view key) {
  const Json* found = object.find(key);
  if (found == nullptr || found->is_null()) return std::nullopt;
  return found->as_integer();
}

std::vector<std::string> texts_at(const Json& object, std::string_view key) {
  std::vector<std::string> out;
  if (const Json* found = object.find(key); found != nullptr && !found->is_null())
    for (const Json& one : found->as_array()) out.push_back(one.as_string());
  return out;
}

namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

/// Calls read(item) for what lies in an array that may be missing or null.
template <class Read>
void each(const Json& object, std::string_view key, Read read) {
  if (const Json* found = object.find(key); found != nullptr && !found->is_null())
    for (const Json& one : found->as_array()) read(one);
}

/// A member that is an object, or nullptr.
const Json* part(const Json& object, std::string_view key) {
  const Json* found = object.find(key);
  return found == nullptr || found->is_null() ? nullptr : found;
}

metrics::Score score_of(const Json& json) {
  metrics::Score score{number_at(json, "value"), {}};
  if (!score.value) score.reason = text_at(json, "reason");
  return score;
}

/// The inverse of add_interval().
template <class Result>
void read_interval(const Json& json, Result& result) {
  const auto low = number_at(json, "low"), high = number_at(json, "high");
  if (low && high)
    result.interval = metrics::Interval{*low, *high};
  else
    result.reason = text_at(json, "reason");
  if (const Json* how = part(json, "interval")) {
    result.method = text_at(*how, "method");
    result.within_classes = text_at(*how, "drawn") == "within classes";
  }
}

std::vector<MetricResult> metrics_of(const Json& json) {
  std::vector<MetricResult> out;
  for (const auto& [name, entry] : json.at("metrics").as_object()) {
    MetricResult& result = out.emplace_back();
    result.name = name;
    result.score = score_of(entry);
    if (result.score.value) read_interval(entry, result);
  }
  return out;
}

std::vector<Comparison> comparisons_of(const Json& json) {
  std::vector<Comparison> out;
  for (const auto& [metric, entry] : json.at("versus_source").as_object()) {
    Comparison& c = out.emplace_back();
    c.metric = metric;
    c.difference = number_at(entry, "difference").value_or(kUndefined);
    read_interval(entry, c);
    c.test = text_at(entry, "test");
    c.p = number_at(entry, "p");
  }
  return out;
}

std::vector<stats::LayerDistance> drift_of(const Json& json) {
  std::vector<stats::LayerDistance> out;
  each(json, "drift", [&](const Json& one) {
    const auto number = [&](std::string_view key) { return number_at(one, key).value_or(kUndefined); };
    out.push_back({one.at("layer").as_string(), number("mean_shift"), number("variance_ratio"), number("symmetric_kl"),
                   number("wasserstein"), one.at("constant_channels").as_integer()});
  });
  return out;
}

LabelFree label_free_of(const Json& json) {
  LabelFree out;
  out.images = json.at("images").as_integer();
  out.confidence = number_at(json, "confidence").value_or(kUndefined);
  out.effective_classes = number_at(json, "effective_classes").value_or(kUndefined);
  each(json, "predicted_shares", [&](const Json& share) { out.shares.push_back(share.as_number()); });
  out.agreement = number_at(json, "agreement_with_source");
  out.nuclear_norm = number_at(json, "nuclear_norm");
  out.dispersion = number_at(json, "dispersion");
  out.atc = number_at(json, "atc");
  out.cot = number_at(json, "cot");
  out.label_shift = number_at(json, "label_shift");
  for (const auto& [name, reason] : json.at("reasons").as_object()) out.reasons[name] = reason.as_string();
  return out;
}

template <class Report>
void read_confidence(const Json& json, Report& report) {
  report.mean_confidence = number_at(json, "mean_confidence").value_or(kUndefined);
  report.mean_entropy = number_at(json, "mean_entropy").value_or(kUndefined);
}

DomainReport domain_of(const Json& json, const ModeFacts& mode) {
  DomainReport out;
  out.name = json.at("name").as_string();
  out.images = json.at("images").as_integer();
  out.measured = integer_at(json, "measured").value_or(0);
  out.mode = mode;
  out.mode.policy = json.at("policy").as_string();
  out.mode.prior_images = number_at(json, "prior_images");
  out.fell_back = json.at("fell_back").as_bool();
  out.metrics = metrics_of(json);
  read_confidence(json, out);
  out.drift = drift_of(json);
  if (const Json* settling = part(json, "settling")) out.settling = read_settling(*settling);
  if (const Json* mixture = part(json, "mixture")) out.mixture = read_mixture(*mixture);
  return out;
}

void read_scores(const Json& json, ModeReport& out) {
  out.metrics = metrics_of(json);
  out.versus_source = comparisons_of(json);
  read_confidence(json, out);
}

/// What a mode's images say beside its metrics.
void read_tables(const Json& json, ModeReport& out) {
  each(json, "per_class", [&](const Json& one) {
    out.per_class.push_back({one.at("support").as_integer(), score_of(one.at("precision")), score_of(one.at("recall")),
                             score_of(one.at("f1"))});
  });
  each(json, "confusion", [&](const Json& row) {
    for (const Json& count : row.as_array()) out.confusion.push_back(count.as_integer());
  });
  each(json, "reliability", [&](const Json& bin) {
    out.reliability.push_back({bin.at("low").as_number(), bin.at("high").as_number(),
                               number_at(bin, "confidence").value_or(0), number_at(bin, "accuracy").value_or(0),
                               bin.at("count").as_integer()});
  });
  each(json, "subgroups", [&](const Json& one) {
    out.subgroups.push_back({one.at("column").as_string(), one.at("name").as_string(), one.at("images").as_integer(),
                             one.at("labelled").as_integer(), metrics_of(one)});
  });
  each(json, "findings", [&](const Json& one) {
    out.findings.push_back(
        {one.at("name").as_string(), one.at("known").as_integer(), one.at("positive").as_integer(), metrics_of(one)});
  });
  each(json, "stream", [&](const Json& one) {
    out.stream.push_back({one.at("images").as_integer(), one.at("labelled").as_integer(),
                          number_at(one, "accuracy_before").value_or(0), number_at(one, "accuracy_after").value_or(0)});
  });
}

ModeReport mode_of(const Json& json) {
  ModeReport out;
  out.mode = read_mode(json);
  read_scores(json, out);
  if (const Json* seconds = part(json, "seconds")) {
    out.adapt_seconds = seconds->at("adapt").as_number();
    out.evaluate_seconds = seconds->at("evaluate").as_number();
  }
  out.images_per_second = number_at(json, "images_per_second").value_or(0);
  if (const Json* reused = part(json, "taken_over"))
    out.reused = {text_at(*reused, "adapt"), text_at(*reused, "evaluate")};
  out.note = text_at(json, "note");
  out.drift = drift_of(json);
  if (const Json* settling = part(json, "settling")) out.settling = read_settling(*settling);
  if (const Json* mixture = part(json, "mixture")) out.mixture = read_mixture(*mixture);
  if (const Json* told = part(json, "label_free")) out.label_free = label_free_of(*told);
  each(json, "domains", [&](const Json& one) { out.domains.push_back(domain_of(one, out.mode)); });
  if (const Json* after = part(json, "after")) {
    ModeReport later;
    later.mode = out.mode;
    read_scores(*after, later);
    out.after.push_back(std::move(later));
  }
  read_tables(json, out);
  return out;
}

void read_model(const Json& json, RunResults& run) {
  run.model_sha256 = text_at(json, "sha256");
  run.model_file = text_at(json, "file");
  run.architecture = text_at(json, "architecture");
  run.batchnorms = integer_at(json, "batchnorms").value_or(0);
  run.levels = integer_at(json, "levels").value_or(0);
  run.parameters = integer_at(json, "parameters").value_or(0);
  run.assumptions = texts_at(json, "assumptions");
}

void read_target(const Json& json, RunResults& run) {
  run.images = json.at("images").as_integer();
  run.labelled = integer_at(json, "labelled");
  run.skipped = integer_at(json, "skipped").value_or(0);
  run.patients = integer_at(json, "patients");
  run.repeated = integer_at(json, "repeated_pixels").value_or(0);
  run.fingerprint = text_at(json, "fingerprint");
  if (const Json* labels = part(json, "labels"))
    run.label_counts = {labels->at("file").as_string(),
                        {},
                        labels->at("matched").as_integer(),
                        labels->at("images_without_label").as_integer(),
                        labels->at("labels_without_image").as_integer(),
                        labels->at("ambiguous").as_integer()};
  if (const Json* domain = part(json, "domain")) run.domain_key = text_at(*domain, "key");
}

void read_split(const Json& json, RunResults& run) {
  SplitFacts& split = run.split.emplace();
  split.by = json.at("by").as_string();
  split.share = json.at("share").as_number();
  const Json &adapt = json.at("adapt"), &evaluate = json.at("evaluate");
  split.adapt_images = adapt.at("images").as_integer();
  split.adapt_patients = integer_at(adapt, "patients");
  split.evaluate_images = evaluate.at("images").as_integer();
  split.evaluate_patients = integer_at(evaluate, "patients");
}

void read_intervals(const Json& json, RunResults& run) {
  run.interval = metrics::kIntervalKinds.parse(json.at("method").as_string());
  run.interval_by = json.at("by").as_string();
  run.clusters = json.at("clusters").as_integer();
  run.resamples = json.at("resamples").as_integer();
  run.level = json.at("level").as_number();
}

void read_program(const Json& json, RunResults& run) {
  run.program_version = text_at(json, "version");
  run.instruction_set = text_at(json, "instruction_set");
  if (const Json* libraries = part(json, "libraries"))
    for (const auto& [name, version] : libraries->as_object()) run.libraries.push_back({name, version.as_string()});
}

template <class Told>
Told told_of(const Json& json) {
  Told out;
  if (const Json* mode = part(json, "mode")) out.mode = mode->as_string();
  out.because = texts_at(json, "because");
  out.confidence = text_at(json, "confidence");
  return out;
}

}  // namespace

RunResults read_results(const Json& json) {
  if (const std::int64_t schema = json.at("schema").as_integer(); schema != kResultsSchema)
    throw FormatError(fmt::format("results of schema {}; expected {}", schema, kResultsSchema));
  RunResults run;
  run.id = text_at(json, "id");
  run.name = json.at("name").as_string();
  run.protocol = text_at(json, "protocol");
  run.stream_batch = integer_at(json, "stream_batch").value_or(0);
  run.seed = static_cast<std::uint64_t>(json.at("seed").as_integer());
  read_program(json.at("program"), run);
  read_model(json.at("model"), run);
  run.preprocess = text_at(json.at("preprocess"), "name");
  run.preprocess_sha256 = text_at(json.at("preprocess"), "sha256");
  read_target(json.at("data").at("target"), run);
  if (const Json* split = part(json, "split")) read_split(*split, run);
  if (const Json* interval = part(json, "interval")) read_intervals(*interval, run);
  if (const Json* seconds = part(json, "seconds")) run.load_seconds = seconds->at("load").as_number();
  run.classes = texts_at(json, "classes");
  each(json, "modes", [&](const Json& one) { run.modes.push_back(mode_of(one)); });
  if (const Json* verdict = part(json, "verdict")) run.verdict = told_of<Verdict>(*verdict);
  if (const Json* told = part(json, "recommendation")) run.recommendation = told_of<Recommendation>(*told);
  if (const Json* exported = part(json, "export")) {
    run.exported_mode = text_at(*exported, "mode");
    run.exported_file = text_at(*exported, "file");
  }
  each(json, "bad", [&](const Json& one) { run.bad.push_back({text_at(one, "id"), text_at(one, "reason")}); });
  return run;
}

}  // namespace shiftnorm::results
