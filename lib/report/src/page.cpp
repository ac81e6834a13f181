#include <fmt/format.h>

#include "document.hpp"
#include "format.hpp"
#include "sections.hpp"
#include "shiftnorm/report/report.hpp"
#include "verdict.hpp"

namespace shiftnorm::report {
namespace {

using results::ModeReport;

/// What the recommendation is held against; docs/study.md measured its regret so.
const std::string kChecked = "accuracy";

std::optional<double> value_of_mode(const View& view, const std::string& name) {
  for (const ModeReport& mode : view.results.modes)
    if (mode.mode.name == name) return value_of(mode, kChecked);
  return std::nullopt;
}

std::string header(const View& view) {
  const results::RunResults& run = view.results;
  std::string line = count_text(run.images, "image");
  if (run.skipped > 0) line += fmt::format(", {} skipped", run.skipped);
  if (!run.bad.empty()) line += fmt::format(", {} bad", run.bad.size());
  if (!run.architecture.empty()) line += " · " + run.architecture;
  line += fmt::format(" · {} · {} protocol · seed {}", count_text(run.batchnorms, "BatchNorm layer"), run.protocol,
                      run.seed);
  return fmt::format("<h1>{}</h1>\n<p>{}</p>\n", html(run.name), html(line));
}

std::string list_of(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += fmt::format("<li>{}</li>\n", html_sentence(line));
  return out.empty() ? out : "<ul>\n" + out + "</ul>\n";
}

/// One of the two answers: what labels show, or what the outputs alone say.
std::string answer(std::string_view title, const std::optional<std::string>& mode, const std::string& confidence,
                   const std::vector<std::string>& because) {
  const std::string said =
      mode ? fmt::format("<b>{}</b> <span class=\"quiet\">confidence: {}</span>", html(*mode), html(confidence))
           : fmt::format("<b>{}</b>", html(confidence));
  return fmt::format("<div>\n<h3>{}</h3>\n<p class=\"pick\">{}</p>\n{}</div>\n", title, said, list_of(because));
}

/// How a mode that was named without labels fares by them.
std::vector<std::string> checked(const View& view, const results::Recommendation& told) {
  std::vector<std::string> lines = told.because;
  if (!told.mode || !value_of_mode(view, *told.mode)) return lines;
  const ModeReport* best = nullptr;
  for (const ModeReport& mode : view.results.modes)
    if (const auto value = value_of(mode, kChecked); value && results::recommendable(mode.mode.policy))
      if (best == nullptr || *value > *value_of(*best, kChecked)) best = &mode;
  const std::string ours = value_text(kChecked, *value_of_mode(view, *told.mode));
  if (best == nullptr) return lines;
  const std::string most = value_text(kChecked, *value_of(*best, kChecked));
  lines.push_back(most == ours ? fmt::format("The labels, which it did not see: its accuracy of {} is the best.", ours)
                               : fmt::format("The labels, which it did not see: its accuracy is {}, the best {} ({}).",
                                             ours, most, best->mode.name));
  return lines;
}

std::string verdict_section(const View& view) {
  const results::Verdict said = verdict(view);
  const auto& told = view.results.recommendation;
  std::string headline = said.because.front();
  // Where labels cannot answer, the recommendation without them is the verdict.
  if (view.labelled == 0 && told)
    headline = told->mode
                   ? fmt::format("Recommended without labels: {} (confidence: {}).", *told->mode, told->confidence)
                   : "Which mode is better cannot be determined: there are no labels, and the outputs do not say.";
  std::vector<std::string> because = said.because;
  if (headline == because.front()) because.erase(because.begin());
  const std::string by_labels = answer("By the labels", said.mode, said.confidence, because);
  const std::string without = told ? answer("Without labels", told->mode, told->confidence, checked(view, *told)) : "";
  return fmt::format(
      "<section class=\"verdict\" aria-label=\"Verdict\">\n<h2>{}</h2>\n<div "
      "class=\"answers\">\n{}{}</div>\n</section>\n",
      html_sentence(headline), view.labelled == 0 ? without : by_labels, view.labelled == 0 ? by_labels : without);
}

std::string definitions(const View& view) {
  std::string out;
  for (const metrics::MetricSpec& spec : metrics::metric_table())
    for (const std::string& shown : view.metrics)
      if (shown == spec.name)
        out += fmt::format("<dt>{}</dt><dd>{}</dd>\n", html(display(shown).title), html(spec.definition));
  return out.empty() ? out : "<dl>\n" + out + "</dl>\n";
}

std::string bars(const View& view) {
  const std::string figures = figures_html(bar_figures(view));
  if (figures.empty()) return {};
  return fmt::format("<p class=\"lead\">Whiskers are {} intervals.{}</p>\n{}", level_text(view.results.level),
                     view.source == nullptr ? "" : " Source is grey; the dashed line is its value.", figures);
}

std::string results_sections(const View& view) {
  const std::string differences = fmt::format(
      "On the same images: the difference, its {} interval, the test named in the heading. Better and worse allow for "
      "the number of modes compared; an open dot means that no difference is shown.",
      level_text(view.results.level));
  const std::string labels = view.labelled > 0 ? " The lines across are the labels." : "";
  const std::string grey = view.source == nullptr ? "" : " Grey: source.";
  return section("Scores", "The small figures are the interval. Click a heading to sort.",
                 scores_table(view) + bars(view) + definitions(view)) +
         section("Domains",
                 "Each image was measured with its own domain, and evaluated under that domain's statistics.",
                 domains_table(view)) +
         section("Subgroups",
                 "The same images split by what else is known about them; small groups have wide intervals.",
                 subgroups_table(view)) +
         section("Findings", "Each over the images of which it is known; the scores above are means over findings.",
                 findings_table(view)) +
         section("Stream",
                 "Share of each batch that was right before it was measured (grey) and once it had been (blue).",
                 figures_html(stream_figures(view), "wide")) +
         section("Difference to source", differences,
                 differences_table(view) + figures_html(difference_figures(view))) +
         section("Predicted classes", "How many images each mode gives to each class." + labels,
                 figures_html(class_figures(view))) +
         section("Recall", "Share of each class's images that were recognised; a stronger shade is more.",
                 recall_table(view)) +
         section("Confusion",
                 "Rows are labels, columns predictions, numbers images; shaded by the share of the row. The outlined "
                 "diagonal is right.",
                 confusion_matrices(view)) +
         section("ROC",
                 "True positives (vertical, %) against false positives, each class against the rest; the line is the "
                 "mean over classes, the thin ones are the classes." +
                     grey,
                 figures_html(roc_figures(view), "small")) +
         section("Reliability",
                 "Accuracy (vertical, %) against confidence; on the dashed line the network is as often right as it is "
                 "confident. "
                 "Below, how many images have that confidence.",
                 figures_html(reliability_figures(view), "small"));
}

std::string statistics_sections(const View& view) {
  return section("Drift",
                 "How far the statistics of each BatchNorm layer moved from the source's, all channels together. "
                 "Bars above 1: the variance grew.",
                 figures_html(drift_figures(view), "wide")) +
         section(
             "Enough images?",
             fmt::format(
                 "How far each layer's statistics may be off because there are too few images, in standard deviations "
                 "(vertical, each line is ten times the one below). Below {:g}, the dashed line, a layer "
                 "counts as settled. The grey line is the shift itself: an error close to it swamps it.",
                 stats::kSettled),
             figures_html(settling_figures(view), "wide"));
}

}  // namespace

std::string report_html(const results::RunResults& run) {
  const View view(run);
  std::string main = verdict_section(view) + results_sections(view) + statistics_sections(view);
  main += section("Confidence and time",
                  "Confidence is the largest probability of an image. Images per second count the adapting or "
                  "evaluating stage alone.",
                  cost_table(view));
  main += section("Bad images", "They could not be read and are not counted in any number above.", bad_images(view));
  main += section("Provenance", "", provenance(view));
  main += section("To repeat this run", "", repetition(view));
  return document(run.name + ": shiftnorm report", header(view), main, run.program_version);
}

std::vector<Picture> report_pictures(const results::RunResults& run) {
  const View view(run);
  std::vector<Picture> out;
  for (const auto figures : {bar_figures, difference_figures, class_figures, roc_figures, reliability_figures,
                             drift_figures, settling_figures, stream_figures})
    for (const Figure& figure : figures(view)) out.push_back({figure.file + ".svg", standalone(figure)});
  return out;
}

}  // namespace shiftnorm::report
