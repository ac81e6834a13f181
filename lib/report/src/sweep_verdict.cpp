#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "format.hpp"
#include "shiftnorm/results/view.hpp"
#include "sweep_sections.hpp"

namespace shiftnorm::report {
namespace {

using Cells = std::vector<const SweepCell*>;

const std::string kNoLabels = "The images have no labels: which mode is better cannot be determined here.";

std::string runs_of(std::size_t count) { return count_text(static_cast<std::int64_t>(count), "run"); }

/// Runs in which a mode is better or worse than source, and those whose interval leaves out 0.
struct Counts {
  std::size_t better = 0, surely_better = 0, worse = 0, surely_worse = 0;
};

Counts counts_of(const SweepView& view, const Cells& cells, const std::string& mode) {
  Counts out;
  const double sign = results::higher_is_better(view.metric) ? 1 : -1;
  for (const SweepCell* cell : cells)
    for (const results::ScoreRecord& score : cell->record->scores) {
      if (score.mode != mode || score.metric != view.metric || !score.difference) continue;
      const bool sure =
          score.difference_low && score.difference_high && *score.difference_low * *score.difference_high > 0;
      const bool better = sign * *score.difference > 0, worse = sign * *score.difference < 0;
      out.better += better ? 1 : 0;
      out.surely_better += better && sure ? 1 : 0;
      out.worse += worse ? 1 : 0;
      out.surely_worse += worse && sure ? 1 : 0;
    }
  return out;
}

std::string average(const SweepView& view, const Cells& cells, const std::string& mode) {
  const std::string value = value_text(view.metric, *mean_of(cells, mode, view.metric));
  if (mode == view.source || view.source.empty()) return fmt::format("{} {}", mode, value);
  const auto base = mean_of(cells, view.source, view.metric), gain = mean_difference(view, cells, mode);
  if (!base || !gain) return fmt::format("{} {}", mode, value);
  return fmt::format("{} {}, {} {} ({})", mode, value, view.source, value_text(view.metric, *base),
                     difference_text(view.metric, *gain));
}

/// Where the mode gains most and least on source.
std::string extremes(const SweepView& view, const SweepPart& part, const std::string& mode) {
  if (view.rows == nullptr || view.rows->values.size() < 2) return {};
  const double sign = results::higher_is_better(view.metric) ? 1 : -1;
  std::vector<std::pair<double, std::string>> gains;
  for (std::size_t r = 0; r < view.rows->values.size(); ++r)
    if (const auto gain = mean_difference(view, shifted(view, in_row(view, part, r)), mode))
      gains.emplace_back(sign * *gain, view.row_words(r));
  if (gains.size() < 2) return {};
  const auto [least, most] = std::ranges::minmax_element(gains);
  if (difference_text(view.metric, least->first) == difference_text(view.metric, most->first)) return {};
  return fmt::format(" Most gained: {} ({}); {}: {} ({}).", most->second,
                     difference_text(view.metric, sign * most->first), least->first < 0 ? "most lost" : "least",
                     least->second, difference_text(view.metric, sign * least->first));
}

std::string reason_of_part(const SweepView& view, const SweepPart& part) {
  const Cells cells = shifted(view, part.cells);
  const std::optional<std::string> best = best_mode(view, cells);
  if (!best) return {};
  std::string line = fmt::format("{}{}{}: {}", part.title, part.title.empty() ? "" : ", ", runs_of(cells.size()),
                                 average(view, cells, *best));
  std::string compared = *best;
  if (compared == view.source) {  // what the best of the others does
    Cells none;
    std::optional<double> most;
    const double sign = results::higher_is_better(view.metric) ? 1 : -1;
    for (const std::string& mode : view.modes)
      if (const auto gain = mean_difference(view, cells, mode); gain && mode != view.source)
        if (!most || sign * *gain > *most) {
          most = sign * *gain;
          compared = mode;
        }
    if (!most) return line + ".";
    line += fmt::format(", the next {} ({})", compared, difference_text(view.metric, sign * *most));
  }
  const Counts counts = counts_of(view, cells, compared);
  if (counts.better + counts.worse > 0)
    line += fmt::format("; {} is better in {}, in {} of them beyond the interval, and worse in {} ({})", compared,
                        runs_of(counts.better), counts.surely_better, counts.worse, counts.surely_worse);
  return line + "." + extremes(view, part, compared);
}

std::string without_shift(const SweepView& view, const SweepPart& part) {
  Cells cells;
  for (const SweepCell* cell : finished(part.cells))
    if (view.unshifted(*cell)) cells.push_back(cell);
  if (cells.empty() || view.source.empty()) return {};
  std::string line = fmt::format("{}{}ithout a shift: ", part.title, part.title.empty() ? "W" : ", w");
  const auto base = mean_of(cells, view.source, view.metric);
  if (!base) return {};
  line += fmt::format("{} {}", view.source, value_text(view.metric, *base));
  for (const std::string& mode : view.modes)
    if (const auto gain = mean_difference(view, cells, mode); gain && mode != view.source)
      line += fmt::format(", {} {}", mode, difference_text(view.metric, *gain));
  return line + ".";
}

/// "adabn in 12 runs, blend16 in 3; cannot tell in 1".
std::string recommended(const SweepView& view) {
  std::map<std::string, std::size_t> counts;
  std::size_t untold = 0, asked = 0;
  for (const SweepCell* cell : finished(view.cells)) {
    if (!cell->recommendation) continue;
    ++asked;
    if (cell->recommendation->mode)
      ++counts[*cell->recommendation->mode];
    else
      ++untold;
  }
  if (asked == 0) return {};
  std::vector<std::string> said;
  for (const std::string& mode : view.modes)
    if (counts.contains(mode)) said.push_back(fmt::format("{} in {}", mode, counts[mode]));
  if (untold > 0) said.push_back(fmt::format("cannot tell in {}", untold));
  std::string line;
  for (const std::string& one : said) line += (line.empty() ? "" : ", ") + one;
  line += fmt::format(" of {}.", runs_of(asked));
  if (!view.labelled) return line;
  const Regret regret = regret_of(view, view.cells);
  if (regret.told > 0)
    line += fmt::format(
        " Where it names a mode, that is the best of {} in {} of {}; its regret is {} on average, {} at most.",
        view.recommendable.size(), regret.right, runs_of(regret.told),
        difference_text(view.metric, regret.mean).substr(regret.mean > 0 ? 1 : 0),
        difference_text(view.metric, regret.worst).substr(regret.worst > 0 ? 1 : 0));
  return line;
}

std::string headline_of(const SweepView& view) {
  if (view.metric.empty()) return "No run has finished: nothing can be said yet.";
  if (!view.labelled) {
    const std::string said = recommended(view);
    return said.empty() ? kNoLabels : fmt::format("Recommended without labels: {}", said);
  }
  std::vector<std::pair<std::string, std::string>> best;  // part, mode
  for (const SweepPart& part : view.parts)
    if (const auto mode = best_mode(view, shifted(view, part.cells))) best.emplace_back(part.title, *mode);
  if (best.empty()) return "No mode has a score in any run: none can be called better.";
  const bool agreed = std::ranges::all_of(best, [&](const auto& one) { return one.second == best[0].second; });
  const Cells all = shifted(view, view.cells);
  if (!agreed) {
    std::string text;
    for (const auto& [part, mode] : best) text += fmt::format("{}{} for {}", text.empty() ? "" : ", ", mode, part);
    return fmt::format("No mode is best on average everywhere: {}.", text);
  }
  const std::string& mode = best[0].second;
  const std::string value = value_text(view.metric, *mean_of(all, mode, view.metric));
  const std::string subject = display(view.metric).sentence;
  if (mode == view.source)
    return fmt::format("Keep the statistics of the file: {} is best on average, with {} {} over {}.", mode, subject,
                       value, runs_of(all.size()));
  const auto gain = mean_difference(view, all, mode);
  return fmt::format("{} is best on average: {} {} over {}{}.", mode, subject, value, runs_of(all.size()),
                     gain ? fmt::format(", {} to {}", difference_text(view.metric, *gain), view.source) : "");
}

}  // namespace

std::string sweep_verdict(const SweepView& view) {
  std::string out = fmt::format("<section class=\"verdict\" aria-label=\"Verdict\">\n<h2>{}</h2>\n",
                                html_sentence(headline_of(view)));
  std::vector<std::string> lines;
  if (!view.labelled && !recommended(view).empty()) lines.push_back(kNoLabels);
  if (view.labelled)
    for (const auto line_of : {reason_of_part, without_shift})
      for (const SweepPart& part : view.parts) lines.push_back(line_of(view, part));
  std::size_t failed = 0, waiting = 0;
  for (const SweepCell* cell : view.cells)
    if (!cell->record) ++(cell->reason.empty() ? waiting : failed);
  if (waiting > 0) lines.push_back(fmt::format("{} of {} are not finished.", waiting, runs_of(view.cells.size())));
  if (failed > 0) lines.push_back(fmt::format("{} of {} failed.", failed, runs_of(view.cells.size())));
  std::erase(lines, "");
  if (!lines.empty()) {
    out += "<ul>\n";
    for (const std::string& line : lines) out += fmt::format("<li>{}</li>\n", html_sentence(line));
    out += "</ul>\n";
  }
  if (const std::string said = recommended(view); view.labelled && !said.empty())
    out += fmt::format("<p class=\"advice\"><b>Recommended without labels:</b> {}</p>\n", html_sentence(said));
  return out + "</section>\n";
}

}  // namespace shiftnorm::report
