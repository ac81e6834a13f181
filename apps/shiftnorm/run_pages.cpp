#include "run_pages.hpp"

#include "shiftnorm/report/report.hpp"
#include "shiftnorm/report/sweep_report.hpp"

namespace shiftnorm::app {
namespace {

/// A page with its pictures as files.
std::vector<toolkit::Page> with_figures(std::string html, std::vector<report::Picture> pictures) {
  std::vector<toolkit::Page> pages{{"report.html", std::move(html)}, {"figures/", {}}};
  for (report::Picture& picture : pictures)
    pages.push_back({std::filesystem::path("figures") / picture.name, std::move(picture.svg)});
  return pages;
}

}  // namespace

std::vector<toolkit::Page> pages_of(const results::RunResults& results) {
  return with_figures(report::report_html(results), report::report_pictures(results));
}

std::vector<toolkit::Page> pages_of(const results::SweepResults& results) {
  return with_figures(report::sweep_html(results), report::sweep_pictures(results));
}

}  // namespace shiftnorm::app
