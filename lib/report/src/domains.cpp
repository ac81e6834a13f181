#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "document.hpp"
#include "format.hpp"
#include "sections.hpp"

namespace shiftnorm::report {
namespace {

using results::DomainReport;
using results::MetricResult;
using results::ModeReport;

std::string score(const DomainReport& domain, const std::string& metric) {
  const auto found = std::ranges::find(domain.metrics, metric, &MetricResult::name);
  if (found == domain.metrics.end()) return "<td class=\"none\">none</td>";
  if (!found->score.value) return fmt::format("<td class=\"none\">none{}</td>", below_html(html(found->score.reason)));
  return fmt::format("<td>{}{}</td>", value_text(metric, *found->score.value),
                     interval_html(metric, found->interval, found->reason));
}

/// Mean over the layers.
std::string drift(const DomainReport& domain) {
  double sum = 0;
  std::size_t layers = 0;
  for (const stats::LayerDistance& layer : domain.drift)
    if (std::isfinite(layer.symmetric_kl)) {
      sum += layer.symmetric_kl;
      ++layers;
    }
  if (layers == 0) return "<td class=\"none\">none</td>";
  return fmt::format("<td data-v=\"{0:.9g}\">{0:.3g}</td>", sum / static_cast<double>(layers));
}

/// Whether its images were enough, with the error of the worst layer.
std::string settled(const DomainReport& domain) {
  const stats::LayerSettling* worst = domain.settling.worst();
  if (worst == nullptr || !std::isfinite(worst->error)) return "<td class=\"none\">none</td>";
  return fmt::format("<td data-v=\"{:.9g}\">{}<br><span class=\"quiet\">{:.3g} in {}</span></td>", worst->error,
                     domain.settling.settled() ? "yes" : "no", worst->error, html(shortened(worst->name, 24)));
}

}  // namespace

std::string domains_table(const View& view) {
  if (view.results.domain_key.empty()) return {};
  std::string rows = fmt::format(
      "<thead><tr><th scope=\"col\">Mode</th><th scope=\"col\">{}</th><th scope=\"col\">Images</th>"
      "<th scope=\"col\">Measured</th>"
      "<th scope=\"col\">Policy</th><th scope=\"col\">Drift<br><span class=\"quiet\">symmetric KL</span></th>"
      "<th scope=\"col\">Settled</th>",
      html(view.results.domain_key));
  for (const std::string& metric : view.metrics)
    rows += fmt::format("<th scope=\"col\">{}</th>", html(display(metric).title));
  rows += "</tr></thead>\n<tbody>\n";
  for (const ModeReport& mode : view.results.modes)
    for (const DomainReport& domain : mode.domains) {
      rows += fmt::format(
          "<tr><th scope=\"row\">{}</th><td class=\"left\">{}</td><td>{}</td><td>{}</td><td class=\"left\">{}{}</td>",
          html(mode.mode.name), html(domain.name), domain.images, domain.measured, domain.mode.policy,
          domain.fell_back ? ", for few images" : "");
      rows += drift(domain) + settled(domain);
      for (const std::string& metric : view.metrics) rows += score(domain, metric);
      rows += "</tr>\n";
    }
  return boxed_table("numbers", "Scores of each domain", rows + "</tbody>");
}

}  // namespace shiftnorm::report
