#include <fmt/format.h>

#include "document.hpp"
#include "format.hpp"
#include "sections.hpp"
#include "shiftnorm/report/report.hpp"
#include "verdict.hpp"

namespace shiftnorm::report {
namespace {

std::string header(const View& view) {
  const experiment::RunResults& run = view.results;
  std::string line = count_text(run.images, "image");
  if (run.skipped > 0) line += fmt::format(", {} skipped", run.skipped);
  if (!run.bad.empty()) line += fmt::format(", {} bad", run.bad.size());
  if (!run.architecture.empty()) line += " · " + run.architecture;
  line += fmt::format(" · {} · {} protocol · seed {}", count_text(run.batchnorms, "BatchNorm layer"), run.protocol,
                      run.seed);
  return fmt::format("<h1>{}</h1>\n<p>{}</p>\n", html(run.name), html(line));
}

std::string verdict_section(const View& view) {
  const Verdict said = verdict(view);
  std::string out =
      fmt::format("<section class=\"verdict\" aria-label=\"Verdict\">\n<h2>{}</h2>\n", html(said.headline));
  out += fmt::format("<p><b>Recommendation:</b> {} <span class=\"quiet\">confidence: {}</span></p>\n",
                     said.mode ? html(*said.mode) : "none", html(said.confidence));
  if (said.because.empty()) return out + "</section>\n";
  out += "<ul>\n";
  for (const std::string& line : said.because) out += fmt::format("<li>{}</li>\n", html(line));
  return out + "</ul>\n</section>\n";
}

std::string definitions(const View& view) {
  std::string out;
  for (const metrics::MetricSpec& spec : metrics::metric_table())
    for (const std::string& shown : view.metrics)
      if (shown == spec.name)
        out += fmt::format("<dt>{}</dt><dd>{}</dd>\n", html(display(shown).title), html(spec.definition));
  return out.empty() ? out : "<dl>\n" + out + "</dl>\n";
}

std::string results_sections(const View& view) {
  const std::string differences = fmt::format(
      "On the same images: the difference, its {} interval, the test named in the heading. Better and worse allow for "
      "the number of modes compared; an open dot means that no difference is shown.",
      level_text(view.results.level));
  return section("Scores", "The small figures are the interval. Click a heading to sort.",
                 scores_table(view) + bars(view) + definitions(view)) +
         section("Domains",
                 "Each image was measured with its own domain, and evaluated under that domain's statistics.",
                 domains_table(view)) +
         section("Difference to source", differences, differences_table(view) + difference_plot(view)) +
         section("Classes", "Share of each class's images that were recognised; a stronger shade is more.",
                 recall_table(view)) +
         section("Confusion",
                 "Rows are labels, columns predictions, numbers images; shaded by the share of the row. The outlined "
                 "diagonal is right.",
                 confusion_matrices(view)) +
         section("Reliability",
                 "Accuracy (vertical, %) against confidence; on the dashed line the network is as right as it is sure. "
                 "Below, how many images have that confidence.",
                 reliability_diagrams(view));
}

}  // namespace

std::string report_html(const experiment::RunResults& run) {
  const View view(run);
  std::string main = verdict_section(view) + results_sections(view);
  main += section("Confidence and time",
                  "Confidence is the largest probability of an image. Images per second count the adapting or "
                  "evaluating stage alone.",
                  cost_table(view));
  main += section("Bad images", "They could not be read, and are in no number above.", bad_images(view));
  main += section("Provenance", "", provenance(view));
  main += section("To repeat this run", "", repetition(view));
  return document(run.name + ": shiftnorm report", header(view), main, run.program_version);
}

}  // namespace shiftnorm::report
