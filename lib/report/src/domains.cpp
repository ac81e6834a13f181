#include <fmt/format.h>

#include "document.hpp"
#include "format.hpp"
#include "sections.hpp"

namespace shiftnorm::report {
namespace {

using experiment::DomainReport;
using experiment::MetricResult;
using experiment::ModeReport;

std::string score(const DomainReport& domain, const std::string& metric) {
  for (const MetricResult& result : domain.metrics)
    if (result.name == metric && result.score.value) {
      std::string out = value_text(metric, *result.score.value);
      if (result.interval)
        out += fmt::format("<br><span class=\"quiet\">{}</span>", range_text(metric, *result.interval));
      return fmt::format("<td>{}</td>", out);
    }
  return "<td class=\"none\">none</td>";
}

}  // namespace

std::string domains_table(const View& view) {
  if (view.results.domain_key.empty()) return {};
  std::string rows = fmt::format(
      "<thead><tr><th scope=\"col\">Mode</th><th scope=\"col\">{}</th><th scope=\"col\">Images</th>"
      "<th scope=\"col\">Policy</th>",
      html(view.results.domain_key));
  for (const std::string& metric : view.metrics)
    rows += fmt::format("<th scope=\"col\">{}</th>", html(display(metric).title));
  rows += "</tr></thead>\n<tbody>\n";
  for (const ModeReport& mode : view.results.modes)
    for (const DomainReport& domain : mode.domains) {
      rows +=
          fmt::format("<tr><th scope=\"row\">{}</th><td class=\"left\">{}</td><td>{}</td><td class=\"left\">{}{}</td>",
                      html(mode.mode.name), html(domain.name), domain.images, adapt::name_of(domain.mode.policy),
                      domain.fell_back ? ", for few images" : "");
      for (const std::string& metric : view.metrics) rows += score(domain, metric);
      rows += "</tr>\n";
    }
  return boxed_table("numbers", "Scores of each domain", rows + "</tbody>");
}

}  // namespace shiftnorm::report
