#include <fmt/format.h>

#include <algorithm>

#include "document.hpp"
#include "format.hpp"
#include "shiftnorm/report/sweep_report.hpp"
#include "shiftnorm/results/view.hpp"
#include "sweep_sections.hpp"

namespace shiftnorm::report {
namespace {

/// The values that runs have of something, each once, in order of appearance.
template <class Of>
std::string each_once(const SweepView& view, const Of& of) {
  std::vector<std::string> seen;
  for (const SweepCell* cell : finished(view.cells))
    if (std::string value = of(*cell->record); !value.empty() && std::ranges::find(seen, value) == seen.end())
      seen.push_back(std::move(value));
  constexpr std::size_t kMost = 8;
  std::string out;
  for (std::size_t i = 0; i < std::min(seen.size(), kMost); ++i) out += (i == 0 ? "" : ", ") + seen[i];
  if (seen.size() > kMost) out += fmt::format(" and {} more", seen.size() - kMost);
  return out;
}

std::string header(const SweepView& view) {
  const std::size_t done = finished(view.cells).size();
  std::string line = done == view.cells.size() ? count_text(static_cast<std::int64_t>(done), "run")
                                               : fmt::format("{} of {} runs", done, view.cells.size());
  if (!view.modes.empty())
    line += fmt::format(" · {}", count_text(static_cast<std::int64_t>(view.modes.size()), "mode"));
  if (const std::string images = each_once(view, [](const auto& r) { return fmt::format("{}", r.images); });
      !images.empty())
    line += fmt::format(" · {} images each", images);
  for (const auto& part : {each_once(view, [](const auto& r) { return r.architecture; }),
                           each_once(view, [](const auto& r) { return r.protocol + " protocol"; })})
    if (!part.empty()) line += " · " + part;
  return fmt::format("<h1>{}</h1>\n<p>{}</p>\n", html(view.sweep.name), html(line));
}

/// A title inside a sentence; "AUROC" stays what it is.
std::string in_sentence(std::string title) {
  const auto capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (!title.empty() && capital(title[0]) && !(title.size() > 1 && capital(title[1])))
    title[0] = static_cast<char>(title[0] - 'A' + 'a');
  return title;
}

std::string axes(const SweepView& view) {
  return view.columns == nullptr
             ? std::string()
             : fmt::format("{} down, {} across. ", html(view.rows->title), html(view.columns->title));
}

}  // namespace

std::string sweep_provenance(const SweepView& view) {
  std::string rows = "<tbody>\n" + fact("Program", "shiftnorm " + view.sweep.program_version);
  rows += fact("Instruction set", each_once(view, [](const auto& r) { return r.instruction_set; }));
  rows += fact("Checkpoint", each_once(view, [](const auto& r) { return r.model_file; }));
  rows += fact("Checkpoint SHA-256", each_once(view, [](const auto& r) { return r.model_sha256; }), true);
  rows += fact("Preprocessing", each_once(view, [](const auto& r) { return r.preprocess; }));
  rows += fact("Data fingerprint", each_once(view, [](const auto& r) { return r.fingerprint; }), true);
  rows += fact("Seed", each_once(view, [](const auto& r) { return fmt::format("{}", r.seed); }));
  double seconds = 0;
  for (const SweepCell* cell : view.cells) seconds += cell->seconds;
  if (seconds > 0) rows += fact("Time of the runs", seconds_text(seconds) + " s");
  for (std::size_t k = 0; k < view.sweep.keys.size(); ++k) {
    std::vector<std::string> values;
    for (const SweepCell* cell : view.cells)
      if (std::ranges::find(values, cell->values.at(k)) == values.end()) values.push_back(cell->values[k]);
    std::string words;
    for (const std::string& value : values) words += (words.empty() ? "" : "; ") + value;
    rows += fact("Swept " + view.sweep.keys[k], words);
  }
  return boxed_table("words untitled", "Provenance", rows + "</tbody>");
}

std::string sweep_repetition(const SweepView& view) {
  if (view.sweep.command.empty()) return {};
  return fmt::format(
      "<pre tabindex=\"0\" aria-label=\"Command\">{}</pre>\n"
      "<p class=\"lead\">Each run's folder holds its configuration with every default spelled out, "
      "<code>config.yaml</code>, which repeats that run.</p>\n",
      html(view.sweep.command));
}

std::string sweep_html(const SweepReport& sweep) {
  const SweepView view(sweep);
  const std::string metric = view.metric.empty() ? "" : display(view.metric).title;
  const std::string seeds = view.averaged ? " Means over seeds." : "";
  const std::string bold = view.labelled ? " Bold: the best mode. Small: the difference to source." : "";
  std::string main = sweep_verdict(view);
  main += section("Means",
                  "Over all runs that are finished" +
                      std::string(view.labelled ? "; runs without a shift are kept apart." : ".") +
                      " Click a heading to sort.",
                  means_table(view));
  if (view.rows != nullptr)
    main += section("By " + html(in_sentence(view.rows->title)),
                    fmt::format("Means over {}.{}",
                                view.columns == nullptr ? "the runs" : html(in_sentence(view.columns->title)), bold),
                    row_means_table(view));
  main += section("Difference to source",
                  axes(view) +
                      (results::higher_is_better(view.metric) ? "Blue is better than source, orange worse"
                                                              : "Blue is higher than source, which is worse") +
                      "; the colour grows with the square root of the difference, so that small ones show, and is the "
                      "same for all modes." +
                      seeds,
                  maps_html(difference_maps(view)));
  main += section(html(metric), axes(view) + "The same colour is the same value everywhere." + seeds,
                  maps_html(value_maps(view)));
  main +=
      section("Recommendation without labels",
              "How the recommendation, which sees no label, fares against the labels. Regret: by how much the best of "
              "the modes that it may name is better than the one it named, or than always taking the same one.",
              regret_table(view) + errors_table(view));
  main += section("Runs", "Each has its own page." + std::string(view.labelled ? " Bold: the best mode." : ""),
                  runs_table(view));
  main += section("Provenance", "", sweep_provenance(view));
  main += section("To repeat this sweep", "", sweep_repetition(view));
  return document(sweep.name + ": shiftnorm sweep", header(view), main, sweep.program_version);
}

std::vector<Picture> sweep_pictures(const SweepReport& sweep) {
  const SweepView view(sweep);
  std::vector<Picture> out;
  for (const auto groups_of : {difference_maps, value_maps})
    for (const MapGroup& group : groups_of(view))
      for (const HeatMap& map : group.maps) out.push_back({heat_map_name(map, group.name) + ".svg", heat_map_svg(map)});
  return out;
}

}  // namespace shiftnorm::report
