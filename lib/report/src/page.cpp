#include <fmt/format.h>

#include "format.hpp"
#include "sections.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/report/report.hpp"
#include "verdict.hpp"

namespace shiftnorm::report {
namespace {

/// SHA-256 in base64, as a Content-Security-Policy names a script.
std::string policy_hash(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string hex = sha256_hex(text) + "00";  // 33 bytes: whole groups of three
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 6) {
    const unsigned long group = std::stoul(hex.substr(i, 6), nullptr, 16);
    for (const unsigned shift : {18U, 12U, 6U, 0U}) out += kDigits[(group >> shift) & 63U];
  }
  out.back() = '=';
  return out;
}

/// The browser is told to fetch nothing and to run our script only: a second lock behind the escaping.
std::string head(const experiment::RunResults& run) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "script-src 'sha256-{}'\">\n"
      "<title>{}: shiftnorm report</title>\n<style>{}</style>\n</head>\n<body>\n",
      policy_hash(script()), html(run.name), style_sheet());
}

std::string header(const View& view) {
  const experiment::RunResults& run = view.results;
  std::string line = count_text(run.images, "image");
  if (run.skipped > 0) line += fmt::format(", {} skipped", run.skipped);
  if (!run.bad.empty()) line += fmt::format(", {} bad", run.bad.size());
  if (!run.architecture.empty()) line += " · " + run.architecture;
  line += fmt::format(" · {} · {} protocol · seed {}", count_text(run.batchnorms, "BatchNorm layer"), run.protocol,
                      run.seed);
  return fmt::format("<header>\n<h1>{}</h1>\n<p>{}</p>\n</header>\n", html(run.name), html(line));
}

std::string list_of(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += fmt::format("<li>{}</li>\n", html(line));
  return out.empty() ? out : "<ul>\n" + out + "</ul>\n";
}

std::string verdict_section(const View& view) {
  const Verdict said = verdict(view);
  std::string out =
      fmt::format("<section class=\"verdict\" aria-label=\"Verdict\">\n<h2>{}</h2>\n", html(said.headline));
  out += fmt::format("<p><b>Recommendation:</b> {} <span class=\"quiet\">confidence: {}</span></p>\n",
                     said.mode ? html(*said.mode) : "none", html(said.confidence));
  out += list_of(said.because);
  if (const auto& told = view.results.recommendation)
    out += fmt::format("<p><b>Without labels:</b> {} <span class=\"quiet\">confidence: {}</span></p>\n{}",
                       told->mode ? html(*told->mode) : "none", html(told->confidence), list_of(told->because));
  return out + "</section>\n";
}

/// A heading with a line under it; nothing at all where there is no content.
std::string section(std::string_view title, std::string_view lead, const std::string& content) {
  if (content.empty()) return {};
  return fmt::format("<section>\n<h2>{}</h2>\n{}{}</section>\n", title,
                     lead.empty() ? "" : fmt::format("<p class=\"lead\">{}</p>\n", lead), content);
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
  std::string out = head(run) + header(view) + "<main>\n" + verdict_section(view) + results_sections(view);
  out += section("Confidence and time",
                 "Confidence is the largest probability of an image. Images per second count the adapting or "
                 "evaluating stage alone.",
                 cost_table(view));
  out += section("Bad images", "They could not be read, and are in no number above.", bad_images(view));
  out += section("Provenance", "", provenance(view));
  out += section("To repeat this run", "", repetition(view));
  out += fmt::format("</main>\n<footer>shiftnorm {}</footer>\n<script>{}</script>\n</body>\n</html>\n",
                     html(run.program_version), script());
  return out;
}

}  // namespace shiftnorm::report
