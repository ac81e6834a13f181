#include "verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "format.hpp"

namespace shiftnorm::report {
namespace {

using namespace results;

/// "+33.8 points, 95 % interval 29.5 to 38.1, McNemar p < 0.001".
std::string evidence(const View& view, const Comparison& c) {
  std::string text = difference_text(c.metric, c.difference);
  if (c.interval)
    text += fmt::format(", {} interval {}", level_text(view.results.level), range_text(c.metric, *c.interval));
  if (c.p) text += fmt::format(", {} {}", test_text(c.test), p_text(*c.p));
  return text;
}

std::vector<std::string> without_scores(const View& view, const Judgement& judged) {
  const auto images = static_cast<std::int64_t>(view.results.ids.size());
  if (judged.finding == Finding::no_modes) return {"No mode was run."};
  if (judged.finding == Finding::no_labels)
    return {fmt::format("{} no labels: which mode is better cannot be determined here.",
                        images == 1 ? "The 1 image has" : fmt::format("The {} images have", images)),
            "Mean confidence and entropy say how sure the network is, not how often it is right."};
  std::vector<std::string> lines{"No metric is defined for any mode, so none can be called better."};
  for (const std::string& metric : view.metrics)
    lines.push_back(fmt::format("{}: {}.", display(metric).title, reason_of(view.results.modes.front(), metric)));
  return lines;
}

/// Other modes whose accuracy the paired test cannot distinguish from the best one's.
std::optional<std::string> rivals(const View& view, const ModeReport& best) {
  // McNemar takes images for separate evidence, which those of one patient are not.
  if (view.results.clusters > 0 && view.results.clusters < view.labelled) return std::nullopt;
  const std::optional<metrics::Predictions> ours = labelled_predictions(view, best);
  if (!ours) return std::nullopt;
  std::vector<std::string> names;
  for (const ModeReport& mode : view.results.modes) {
    if (&mode == &best || &mode == view.source) continue;
    const std::optional<metrics::Predictions> theirs = labelled_predictions(view, mode);
    const std::optional<double> value = value_of(mode, "accuracy");
    if (!theirs || !value || theirs->classes != ours->classes) continue;
    const double p = metrics::mcnemar(*theirs, *ours).p;
    if (p >= 1 - view.results.level)
      names.push_back(fmt::format("{} ({}, McNemar {})", mode.mode.name, value_text("accuracy", *value), p_text(p)));
  }
  if (names.empty()) return std::nullopt;
  std::string list = names.front();
  for (std::size_t i = 1; i < names.size(); ++i) list += (i + 1 == names.size() ? " and " : ", ") + names[i];
  return fmt::format("On these images {} cannot be distinguished from {}.", best.mode.name, list);
}

std::string correction(const View& view, const Comparison& c, std::size_t compared) {
  const bool shown = shows_difference(view, c);
  if (!c.p) return shown ? "The interval of the difference excludes 0." : "The interval of the difference contains 0.";
  return fmt::format("The difference is {}significant at {:g}{}.", shown ? "" : "not ", 1 - view.results.level,
                     compared > 1 ? fmt::format(", corrected for {} comparisons (Holm)", compared) : "");
}

/// What a reader must know before believing the gain of `best`.
std::vector<std::string> reasons(const View& view, const ModeReport& best, const Comparison* c,
                                 const std::string& metric) {
  std::vector<std::string> lines;
  const std::size_t compared = compared_modes(view, metric);
  if (c != nullptr) lines.push_back(correction(view, *c, compared));
  if (metric == "accuracy" && c != nullptr && better(metric, c->difference, 0))
    if (std::optional<std::string> line = rivals(view, best)) lines.push_back(std::move(*line));
  const std::optional<double> before = source_value(view, "ece");
  const std::optional<double> after = value_of(best, "ece");
  if (before && after)
    lines.push_back(fmt::format("The expected calibration error of {} is {}; that of source is {}.", best.mode.name,
                                value_text("ece", *after), value_text("ece", *before)));
  if (compared > 1)
    lines.push_back(
        fmt::format("{} is the best of {} on the very images it is scored on: expect a little less elsewhere.",
                    best.mode.name, count_text(static_cast<std::int64_t>(compared), "mode")));
  if (!best.mode.exportable)
    lines.push_back(fmt::format("{} cannot be written into a checkpoint: its statistics belong to the images at hand.",
                                best.mode.name));
  if (view.results.protocol == "transductive")
    lines.emplace_back("Transductive: the statistics were taken, without labels, from the images that are scored.");
  if (view.results.protocol == "held_out")
    lines.push_back(fmt::format("Held out: the statistics were taken from {} other images; no {} is on both sides.",
                                view.results.split->adapt_images, view.results.split->by));
  if (view.results.protocol == "streaming")
    lines.push_back(
        fmt::format("Streaming: each batch of {} was predicted before it was measured.", view.results.stream_batch));
  return lines;
}

/// One sentence.
std::string headline(const View& view, const Judgement& judged) {
  const std::string& metric = judged.metric;
  const std::string name = display(metric).sentence, images = count_text(view.labelled, "image");
  const std::optional<double> base = source_value(view, metric);
  if (judged.finding == Finding::source_alone)
    return fmt::format("Only source was scored: {} {} on {}.", name, value_text(metric, *base), images);
  const std::string& best = judged.best->mode.name;
  const std::string top = value_text(metric, *value_of(*judged.best, metric));
  if (judged.finding == Finding::no_source)
    return fmt::format("{} has the best {}, {} on {}; there is no source to compare it with.", best, name, top, images);
  const std::string from = value_text(metric, *base), proof = evidence(view, *judged.comparison);
  if (judged.finding == Finding::source_best)
    return fmt::format("Nothing beats source, {} {} on {}: the best other mode, {}, has {} ({}).", name, from, images,
                       best, top, proof);
  if (judged.finding == Finding::not_shown)
    return fmt::format("No mode is shown to be better than source, {} {} on {}: the best, {}, has {} ({}).", name, from,
                       images, best, top, proof);
  return fmt::format("{} {} {} from {} to {} ({}) on {}.", best,
                     results::higher_is_better(metric) ? "raises" : "lowers", name, from, top, proof, images);
}

std::vector<std::string> words(const View& view, const Judgement& judged) {
  if (judged.metric.empty()) return without_scores(view, judged);
  std::vector<std::string> lines{headline(view, judged)};
  if (judged.finding == Finding::source_alone) {
    lines.emplace_back("There is no other mode to compare it with.");
    return lines;
  }
  const bool compared = judged.finding != Finding::no_source;
  for (std::string& line : reasons(view, *judged.best, compared ? judged.comparison : nullptr, judged.metric))
    lines.push_back(std::move(line));
  return lines;
}

}  // namespace

results::Verdict verdict(const View& view) {
  const Judgement judged = judge(view);
  return {judged.mode, words(view, judged), judged.confidence};
}

results::Verdict verdict(const results::RunResults& run) { return verdict(View(run)); }

}  // namespace shiftnorm::report
