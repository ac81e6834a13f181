#include <fmt/format.h>

#include <algorithm>

#include "shiftnorm/report/console_tables.hpp"

namespace shiftnorm::report {
namespace {

using results::ScoreRecord, results::SweepCell;

constexpr std::size_t kNarrowest = 8;

std::optional<double> score_of(const SweepCell& cell, const std::string& mode, const std::string& metric) {
  if (cell.record)
    for (const ScoreRecord& score : cell.record->scores)
      if (score.mode == mode && score.metric == metric && score.value) return score.value;
  return std::nullopt;
}

}  // namespace

std::string table_of(const results::SweepResults& sweep) {
  std::vector<std::string> modes;
  std::string metric;
  for (const SweepCell& cell : sweep.cells)
    for (const ScoreRecord& score : cell.record ? cell.record->scores : std::vector<ScoreRecord>{}) {
      if (metric.empty()) metric = score.metric;
      if (std::ranges::find(modes, score.mode) == modes.end()) modes.push_back(score.mode);
    }
  if (modes.empty()) return {};
  std::size_t width = metric.size();
  for (const SweepCell& cell : sweep.cells) width = std::max(width, values_text(sweep, cell).size());
  std::string text = fmt::format("{:<{}}", metric, width);
  for (const std::string& mode : modes) text += fmt::format("  {:>{}}", mode, kNarrowest);
  text += "\n";
  for (const SweepCell& cell : sweep.cells) {
    text += fmt::format("{:<{}}", values_text(sweep, cell), width);
    for (const std::string& mode : modes) {
      const std::optional<double> value = score_of(cell, mode, metric);
      const std::size_t column = std::max(kNarrowest, mode.size());
      text += value ? fmt::format("  {:>{}.4f}", *value, column) : fmt::format("  {:>{}}", "-", column);
    }
    text += "\n";
  }
  return text;
}

}  // namespace shiftnorm::report
