#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "document.hpp"
#include "format.hpp"
#include "shiftnorm/results/view.hpp"
#include "sweep_sections.hpp"

namespace shiftnorm::report {
namespace {

using Cells = std::vector<const SweepCell*>;

constexpr std::size_t kMostErrors = 10, kTall = 20, kMostRunsListed = 2000;

const std::string kNone = "<td class=\"none\">none</td>";

std::string number_cell(const std::string& metric, const std::optional<double>& value, bool best = false,
                        const std::string& below = {}) {
  if (!value) return kNone;
  const std::string text = bare_text(metric, *value);
  return fmt::format("<td data-v=\"{:.9g}\">{}{}</td>", *value, best ? fmt::format("<b>{}</b>", text) : text,
                     below_html(below));
}

std::string points(const std::string& metric, double difference) {
  const std::string text = difference_text(metric, difference);
  return text.substr(0, text.find(' '));
}

/// What people call the metric at the head of a table.
std::string heading(const std::string& metric) {
  return display(metric).title + (display(metric).percent ? ", %" : "");
}

/// Long names of narrow columns break after '_'.
std::string breakable(const std::string& name) {
  std::string out;
  for (const char c : html(name)) out += c == '_' ? std::string("_<wbr>") : std::string(1, c);
  return out;
}

/// Modes that print the same number as the best one share its place.
bool is_best(const SweepView& view, const Cells& cells, const std::string& mode) {
  const std::optional<std::string> best = view.labelled ? best_mode(view, cells) : std::nullopt;
  const std::optional<double> value = mean_of(cells, mode, view.metric);
  return best && value && bare_text(view.metric, *value) == bare_text(view.metric, *mean_of(cells, *best, view.metric));
}

std::string mode_cells(const SweepView& view, const Cells& cells) {
  std::string out;
  for (const std::string& mode : view.modes) {
    const auto gain = mode == view.source || !view.labelled ? std::nullopt : mean_difference(view, cells, mode);
    out += number_cell(view.metric, mean_of(cells, mode, view.metric), is_best(view, cells, mode),
                       gain ? points(view.metric, *gain) : std::string());
  }
  return out;
}

/// What distinguishes runs, as columns of a table.
struct RunColumn {
  std::string title;
  bool numeric = false;
  std::function<std::string(const SweepCell&)> of;
};

std::vector<RunColumn> run_columns(const SweepView& view) {
  std::vector<RunColumn> out;
  if (view.rows != nullptr)
    out.push_back({view.rows->title, view.rows->numeric, [&](const SweepCell& cell) { return view.row_name(cell); }});
  if (view.columns != nullptr)
    out.push_back(
        {view.columns->title, view.columns->numeric, [&](const SweepCell& cell) { return view.column_name(cell); }});
  if (view.parts.size() > 1)
    out.push_back({view.part_title, false, [&](const SweepCell& cell) { return view.part_of(cell).title; }});
  if (view.averaged) out.push_back({"Seed", true, [&](const SweepCell& cell) { return view.seed_of(cell); }});
  return out;
}

Cells unshifted_of(const SweepView& view, const Cells& cells) {
  Cells out;
  for (const SweepCell* cell : finished(cells))
    if (view.unshifted(*cell)) out.push_back(cell);
  return out;
}

std::string regret_cell(const SweepView& view, const Regret& regret) {
  if (regret.told == 0) return kNone;
  return fmt::format(
      "<td data-v=\"{:.9g}\">{}<br><span class=\"quiet\">at most {}</span></td>", regret.mean,
      display(view.metric).percent ? fmt::format("{:.2f}", 100 * regret.mean) : fmt::format("{:.4f}", regret.mean),
      bare_text(view.metric, regret.worst));
}

}  // namespace

std::string means_table(const SweepView& view) {
  if (view.metric.empty()) return {};
  const bool several = view.parts.size() > 1, clean = !unshifted_of(view, view.cells).empty();
  std::string rows = "<thead><tr>" + column("Mode", false, true);
  if (several) rows += column(view.part_title, false, true);
  rows += column("Runs", true) + column(heading(view.metric), results::higher_is_better(view.metric));
  const bool compared = !view.source.empty() && view.labelled;
  if (compared) rows += column("To source", true);
  if (clean) rows += column("Without a shift", true);
  if (compared) rows += column("Best in", true) + column("Worse than source in", false);
  for (const std::string& metric : view.metrics)
    if (metric != view.metric) rows += column(heading(metric), results::higher_is_better(metric));
  rows += "</tr></thead>\n<tbody>\n";
  const double sign = results::higher_is_better(view.metric) ? 1 : -1;
  for (const SweepPart& part : view.parts) {
    const Cells cells = shifted(view, part.cells);
    for (const std::string& mode : view.modes) {
      if (!mean_of(cells, mode, view.metric)) continue;
      rows += fmt::format("<tr><th scope=\"row\">{}</th>", html(mode));
      if (several) rows += fmt::format("<td class=\"left\">{}</td>", html(part.title));
      rows += fmt::format("<td data-v=\"{0}\">{0}</td>", cells.size());
      rows += number_cell(view.metric, mean_of(cells, mode, view.metric), is_best(view, cells, mode));
      if (compared) {
        const auto gain = mode == view.source ? std::nullopt : mean_difference(view, cells, mode);
        rows += gain ? fmt::format("<td data-v=\"{:.9g}\">{}</td>", *gain, points(view.metric, *gain)) : "<td></td>";
      }
      if (clean) rows += number_cell(view.metric, mean_of(unshifted_of(view, part.cells), mode, view.metric));
      if (compared) {
        std::size_t first = 0, worse = 0;
        for (const SweepCell* cell : cells) {
          const auto value = value_of(*cell, mode, view.metric), base = value_of(*cell, view.source, view.metric);
          if (!value) continue;
          first += std::ranges::all_of(view.modes, [&](const std::string& other) {
            const auto theirs = value_of(*cell, other, view.metric);
            return !theirs || sign * *theirs <= sign * *value;
          });
          worse += base && sign * *value < sign * *base ? 1 : 0;
        }
        rows += fmt::format("<td data-v=\"{0}\">{0}</td>", first);
        rows += mode == view.source ? "<td></td>" : fmt::format("<td data-v=\"{0}\">{0}</td>", worse);
      }
      for (const std::string& metric : view.metrics)
        if (metric != view.metric) rows += number_cell(metric, mean_of(cells, mode, metric));
      rows += "</tr>\n";
    }
  }
  return boxed_table("numbers sortable", "Means over the runs", rows + "</tbody>");
}

std::string row_means_table(const SweepView& view) {
  if (view.rows == nullptr || view.metric.empty()) return {};
  std::string out;
  for (const SweepPart& part : view.parts) {
    if (finished(part.cells).empty()) continue;
    std::string rows = "<thead><tr>" + column(view.rows->title, false, !view.rows->numeric);
    for (const std::string& mode : view.modes) rows += column(mode, results::higher_is_better(view.metric));
    rows += "</tr></thead>\n<tbody>\n";
    for (std::size_t r = 0; r < view.rows->values.size(); ++r) {
      const Cells cells = in_row(view, part, r);
      const std::string& name = view.rows->values[r];
      if (cells.empty()) continue;
      rows += fmt::format("<tr><th scope=\"row\"{}>{}</th>{}</tr>\n",
                          view.rows->numeric ? fmt::format(" data-v=\"{}\"", html(name)) : "", breakable(name),
                          mode_cells(view, cells));
    }
    rows += fmt::format("</tbody>\n<tfoot><tr><th scope=\"row\">Mean</th>{}</tr></tfoot>",
                        mode_cells(view, shifted(view, part.cells)));
    out += boxed_table(
        "numbers sortable",
        part.title.empty() ? heading(view.metric) : fmt::format("{}: {}", part.title, heading(view.metric)), rows);
  }
  return out;
}

std::string regret_table(const SweepView& view) {
  if (!view.labelled || regret_of(view, view.cells).cells == 0) return {};
  if (std::ranges::none_of(view.cells, [](const SweepCell* cell) { return cell->recommendation.has_value(); }))
    return {};
  std::string rows = "<thead><tr>" + column("Runs", false, true) + column("Named a mode", true) +
                     column("The best one", true) + column("Regret", false);
  for (const std::string& mode : view.recommendable) rows += column("Always " + mode, false);
  rows += "</tr></thead>\n<tbody>\n";
  const auto line = [&](const std::string& title, const Cells& given) {
    const Cells cells = finished(given);
    if (cells.empty()) return std::string();
    const Regret regret = regret_of(view, cells);
    std::string out = fmt::format(
        "<tr><th scope=\"row\">{0}</th><td data-v=\"{1}\">{1} of {2}</td><td data-v=\"{3}\">{3} of {1}</td>{4}",
        html(title), regret.told, regret.cells, regret.right, regret_cell(view, regret));
    for (const std::string& mode : view.recommendable) out += regret_cell(view, regret_of_always(view, cells, mode));
    return out + "</tr>\n";
  };
  if (view.parts.size() > 1)
    for (const SweepPart& part : view.parts) rows += line(part.title, part.cells);
  rows += line("all", view.cells);
  return boxed_table("numbers sortable untitled", "Regret of the recommendation", rows + "</tbody>");
}

std::string errors_table(const SweepView& view) {
  std::vector<std::pair<double, const SweepCell*>> errors;
  for (const SweepCell* cell : finished(view.cells))
    if (cell->recommendation && cell->recommendation->mode && view.labelled)
      if (const auto lost = regret_of(view, *cell, *cell->recommendation->mode); lost && *lost > 0)
        errors.emplace_back(*lost, cell);
  std::ranges::stable_sort(errors, std::greater<>{}, [](const auto& one) { return one.first; });
  if (errors.size() > kMostErrors) errors.resize(kMostErrors);
  if (errors.empty()) return {};
  std::string rows = "<thead><tr>" + column("Run", false, true) + column("Says", false, true) + column("Regret", true);
  for (const std::string& mode : view.recommendable) rows += column(mode, results::higher_is_better(view.metric));
  rows += "</tr></thead>\n<tbody>\n";
  for (const auto& [lost, cell] : errors) {
    rows += fmt::format("<tr><th scope=\"row\">{}</th><td class=\"left\">{}, {}</td>{}", html(view.name_of(*cell)),
                        html(*cell->recommendation->mode), html(cell->recommendation->confidence),
                        number_cell(view.metric, lost));
    for (const std::string& mode : view.recommendable)
      rows += number_cell(view.metric, value_of(*cell, mode, view.metric));
    rows += "</tr>\n";
  }
  return boxed_table("numbers sortable", "Where it errs most", rows + "</tbody>");
}

std::string runs_table(const SweepView& view) {
  if (view.cells.empty()) return {};
  const std::vector<RunColumn> columns = run_columns(view);
  std::string rows = "<thead><tr>";
  for (const RunColumn& one : columns) rows += column(one.title, false, !one.numeric);
  for (const std::string& mode : view.modes) rows += column(mode, results::higher_is_better(view.metric));
  rows += column("Recommended", false, true) + "<th scope=\"col\">Page</th></tr></thead>\n<tbody>\n";
  const std::size_t shown = std::min(view.cells.size(), kMostRunsListed);
  for (std::size_t i = 0; i < shown; ++i) {
    const SweepCell& cell = *view.cells[i];
    rows += "<tr>";
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const std::string text = columns[c].of(cell);
      const std::string sort = columns[c].numeric && !text.empty() ? fmt::format(" data-v=\"{}\"", html(text)) : "";
      const std::string_view side = columns[c].numeric ? "" : " class=\"left\"";
      rows += c == 0 ? fmt::format("<th scope=\"row\"{}>{}</th>", sort, html(text))
                     : fmt::format("<td{}{}>{}</td>", side, sort, html(text));
    }
    for (const std::string& mode : view.modes)
      rows += number_cell(view.metric, value_of(cell, mode, view.metric), is_best(view, {&cell}, mode));
    std::string said = cell.record ? "" : cell.reason.empty() ? "not finished" : "failed: " + cell.reason;
    if (cell.recommendation) said = cell.recommendation->mode.value_or(cell.recommendation->confidence);
    rows += fmt::format("<td class=\"left\">{}</td>", html(said));
    rows += cell.record && !cell.folder.empty()
                ? fmt::format("<td class=\"left\"><a href=\"{}/report.html\" aria-label=\"Page of {}\">open</a></td>",
                              html(cell.folder), html(view.name_of(cell)))
                : std::string("<td></td>");
    rows += "</tr>\n";
  }
  std::string out = boxed_table(shown > kTall ? "numbers sortable tall" : "numbers sortable",
                                view.metric.empty() ? "Runs" : heading(view.metric), rows + "</tbody>");
  if (shown < view.cells.size())
    out += fmt::format("<p class=\"lead\">The first {} of {} runs; <code>sweep.csv</code> has all.</p>\n", shown,
                       view.cells.size());
  return out;
}

}  // namespace shiftnorm::report
