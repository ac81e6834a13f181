#include "shiftnorm/toolkit/recommend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "shiftnorm/results/results.hpp"

namespace shiftnorm::toolkit {
namespace {

using results::LabelFree;
using results::ModeReport;
using results::RunResults;

bool eligible(const ModeReport& report) {
  return report.label_free && report.label_free->nuclear_norm && results::recommendable(report.mode.policy);
}

double mean_confidence(const metrics::Rows& rows) {
  double sum = 0;
  for (std::size_t i = 0; i < rows.images(); ++i)
    if (rows.finite(i)) sum += rows.row(i)[rows.guess(i)];
  return sum / static_cast<double>(std::max<std::size_t>(rows.usable(), 1));
}

/// What labelled source images say once for all modes.
struct SourceFacts {
  std::vector<double> scores, label_shares;
  std::vector<bool> right;
};

SourceFacts facts_of(const metrics::Predictions& source) {
  const metrics::Rows rows(source.probabilities, source.classes);
  SourceFacts facts;
  facts.scores = metrics::negative_entropies(rows);
  facts.label_shares.assign(rows.classes(), 0.0);
  for (std::size_t i = 0; i < rows.images(); ++i) {
    facts.label_shares[static_cast<std::size_t>(source.labels[i])] += 1 / static_cast<double>(source.images());
    if (rows.finite(i)) facts.right.push_back(std::cmp_equal(rows.guess(i), source.labels[i]));
  }
  return facts;
}

/// What a decision is made from.
struct Case {
  const RunResults& results;
  const RecommendThresholds& thresholds;
  const ModeReport* source;
  const ModeReport* best;
};

/// Why nothing can be recommended.
struct Guard {
  std::optional<std::string> (*says)(const Case&);
};

std::optional<std::string> no_outputs(const Case& at) {
  if (at.best != nullptr) return std::nullopt;
  for (const ModeReport& report : at.results.modes)
    if (report.label_free && results::recommendable(report.mode.policy))
      return fmt::format("Nothing can be said without labels: {}.", report.label_free->reasons.at("nuclear_norm"));
  return "No mode gave one choice among several classes, so nothing can be said without labels.";
}

std::optional<std::string> no_source(const Case& at) {
  if (at.source != nullptr) return std::nullopt;
  return "Mode source was not run: there is nothing to compare with.";
}

std::optional<std::string> nothing_beside(const Case& at) {
  const auto count = std::count_if(at.results.modes.begin(), at.results.modes.end(), eligible);
  if (count > 1) return std::nullopt;
  return "Only source was run of the modes that can be recommended (source, adabn, blend, mixture).";
}

std::optional<std::string> few_images(const Case& at) {
  const std::int64_t images = at.best->label_free->images;
  if (images >= at.thresholds.images) return std::nullopt;
  return fmt::format("{} images are too few to see how predictions spread over the classes; expected at least {}.",
                     images, at.thresholds.images);
}

std::optional<std::string> one_class(const Case& at) {
  std::int64_t modes = 0;
  for (const ModeReport& report : at.results.modes) {
    if (!eligible(report)) continue;
    if (report.label_free->effective_classes >= at.thresholds.collapsed) return std::nullopt;
    ++modes;
  }
  return fmt::format(
      "All {} modes predict one class for all images, or nearly: either the images are of one class, or no mode sees "
      "anything in them. Only labels can tell.",
      modes);
}

std::optional<std::string> few_classes(const Case& at) {
  const LabelFree &before = *at.source->label_free, &after = *at.best->label_free;
  const bool lean = before.effective_classes < at.thresholds.lean * after.effective_classes;
  if (!lean || before.confidence - after.confidence < at.thresholds.doubt) return std::nullopt;
  return fmt::format(
      "Either the images are of few classes, and re-estimating would spoil them, or the shift makes source see few "
      "classes: its predictions fall on {:.1f} classes, those of {} on {:.1f}, but with less confidence (mean {:.2f} "
      "against {:.2f}). Only labels, or knowing the mixture of classes, can tell.",
      before.effective_classes, at.best->mode.name, after.effective_classes, after.confidence, before.confidence);
}

/// In this order: a later one may trust what an earlier one made sure of.
constexpr std::array kGuards{Guard{no_outputs}, Guard{no_source}, Guard{nothing_beside},
                             Guard{few_images}, Guard{one_class}, Guard{few_classes}};

/// The largest lead over any other mode that the rule could have named.
double lead_of(const Case& at) {
  double second = 0;
  for (const ModeReport& report : at.results.modes)
    // Between two ways of adapting little is at stake; between adapting and not, much.
    if (eligible(report) && &report != at.best && (&report == at.source || at.best == at.source))
      second = std::max(second, *report.label_free->nuclear_norm);
  return *at.best->label_free->nuclear_norm - second;
}

std::string percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

std::vector<std::string> reasons(const Case& at, double lead) {
  const LabelFree &best = *at.best->label_free, &source = *at.source->label_free;
  const std::string& name = at.best->mode.name;
  std::vector<std::string> lines;
  if (at.best == at.source)
    lines.push_back(
        fmt::format("Predictions of source are more certain and better spread over the classes than any other mode's "
                    "(nuclear norm {:.3f}, a lead of {:.3f}).",
                    *source.nuclear_norm, lead));
  else {
    lines.push_back(fmt::format(
        "Predictions of {} are the most certain and best spread over the classes: nuclear norm {:.3f}, source {:.3f}.",
        name, *best.nuclear_norm, *source.nuclear_norm));
    lines.push_back(fmt::format("They fall on {:.1f} classes, those of source on {:.1f}.", best.effective_classes,
                                source.effective_classes));
    if (best.agreement)
      lines.push_back(
          fmt::format("{} and source agree on {} of {} images.", name, percent(*best.agreement), best.images));
  }
  if (lead < at.thresholds.lead)
    lines.push_back(fmt::format("The lead is below {:g}: the modes may do equally well.", at.thresholds.lead));
  double drift = 0;
  for (const stats::LayerDistance& layer : at.best->drift) drift += layer.mean_shift;
  if (!at.best->drift.empty())
    lines.push_back(fmt::format("Means of the layers drifted by {:.2f} standard deviations on average.",
                                drift / static_cast<double>(at.best->drift.size())));
  if (!at.best->settling.layers.empty() && !at.best->settling.settled())
    lines.push_back(fmt::format("{} images are few to measure on.", at.best->settling.images));
  if (best.atc && best.cot)
    lines.push_back(fmt::format("Estimated accuracy from the labelled source images: {} by ATC, {} by COT.",
                                percent(*best.atc), percent(*best.cot)));
  if (source.label_shift)
    lines.push_back(fmt::format("If only the mixture of classes had changed, it changed by {} (BBSE).",
                                percent(*source.label_shift)));
  return lines;
}

}  // namespace

void fill_label_free(RunResults& results, const metrics::Predictions* source) {
  const auto classes = static_cast<std::int64_t>(results.classes.size());
  if (classes < 2) return;
  const auto base = std::find_if(results.modes.begin(), results.modes.end(),
                                 [](const ModeReport& report) { return report.mode.is_source(); });
  const std::optional<SourceFacts> known =
      source != nullptr && source->images() > 0 ? std::optional(facts_of(*source)) : std::nullopt;
  for (ModeReport& report : results.modes) {
    if (report.probabilities.empty() || std::cmp_not_equal(report.probabilities.size() % results.classes.size(), 0))
      continue;
    const metrics::Rows rows(report.probabilities, classes);
    LabelFree& out = report.label_free.emplace();
    out.images = static_cast<std::int64_t>(rows.usable());
    out.confidence = mean_confidence(rows);
    out.shares = metrics::predicted_shares(rows);
    out.effective_classes = metrics::effective_classes(out.shares);
    const auto keep = [&](const char* name, const metrics::Score& score) {
      if (!score.value) out.reasons[name] = score.reason;
      return score.value;
    };
    out.nuclear_norm = keep("nuclear_norm", metrics::nuclear_norm(rows));
    std::vector<std::size_t> guesses;
    for (std::size_t i = 0; i < rows.images(); ++i) guesses.push_back(rows.guess(i));
    out.dispersion = keep("dispersion", metrics::dispersion(rows, guesses, rows.classes()));
    if (base != results.modes.end() && base->probabilities.size() == report.probabilities.size())
      out.agreement = metrics::agreement(rows, metrics::Rows(base->probabilities, classes));
    if (!out.agreement)
      out.reasons["agreement_with_source"] =
          base == results.modes.end() ? "mode source was not run" : "no image has finite outputs in both";
    if (!known) {
      for (const char* name : {"atc", "cot", "label_shift"}) out.reasons[name] = "no labelled source images";
      continue;
    }
    out.atc = keep("atc", metrics::atc_accuracy(known->scores, known->right, metrics::negative_entropies(rows)));
    out.cot = keep("cot", metrics::cot_accuracy(rows, known->label_shares));
    const metrics::Shares shares = report.mode.is_source() ? metrics::bbse_shares(*source, rows)
                                                           : metrics::Shares{std::nullopt, "it needs mode source"};
    if (shares.value)
      out.label_shift = metrics::total_variation(known->label_shares, *shares.value);
    else
      out.reasons["label_shift"] = shares.reason;
  }
}

results::Recommendation recommend(const RunResults& results, const RecommendThresholds& thresholds) {
  Case at{results, thresholds, nullptr, nullptr};
  for (const ModeReport& report : results.modes) {
    if (!eligible(report)) continue;
    if (at.source == nullptr && report.mode.is_source()) at.source = &report;
    if (at.best == nullptr || *report.label_free->nuclear_norm > *at.best->label_free->nuclear_norm) at.best = &report;
  }
  for (const Guard& guard : kGuards)
    if (std::optional<std::string> why = guard.says(at)) return {std::nullopt, {std::move(*why)}, "cannot tell"};
  const double lead = lead_of(at);
  const bool settled = at.best->settling.layers.empty() || at.best->settling.settled();
  return {at.best->mode.name, reasons(at, lead), lead >= thresholds.lead && settled ? "high" : "low"};
}

}  // namespace shiftnorm::toolkit
