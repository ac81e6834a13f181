#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "document.hpp"
#include "format.hpp"
#include "sections.hpp"

namespace shiftnorm::report {
namespace {

using results::ModeReport;

// More columns do not fit on a screen; the commonest confusions are then listed instead.
constexpr std::size_t kMostClasses = 30;
constexpr std::size_t kListed = 20;

std::size_t side(const ModeReport& mode) {
  const auto classes = static_cast<std::size_t>(std::llround(std::sqrt(static_cast<double>(mode.confusion.size()))));
  return classes * classes == mode.confusion.size() ? classes : 0;
}

std::string row(const View& view, const ModeReport& mode, std::size_t truth, std::size_t classes) {
  const auto begin = mode.confusion.begin() + static_cast<std::ptrdiff_t>(truth * classes);
  std::int64_t images = 0;
  for (std::size_t k = 0; k < classes; ++k) images += begin[static_cast<std::ptrdiff_t>(k)];
  std::string out = fmt::format("<tr><th scope=\"row\">{}</th>", html(shortened(class_name(view, truth), 14)));
  for (std::size_t guess = 0; guess < classes; ++guess) {
    const std::int64_t n = begin[static_cast<std::ptrdiff_t>(guess)];
    const double share = images == 0 ? 0 : static_cast<double>(n) / static_cast<double>(images);
    out += fmt::format("<td class=\"shade{}{}\" style=\"--a:{:.3f}\">{}</td>", truth == guess ? " hit" : "",
                       n == 0 ? " zero" : "", share, n);
  }
  return out + "</tr>\n";
}

std::string matrix(const View& view, const ModeReport& mode, std::size_t classes) {
  std::string rows = "<thead><tr><td class=\"corner\">label \\ predicted</td>";
  for (std::size_t c = 0; c < classes; ++c)
    rows += fmt::format("<th scope=\"col\"><span>{}</span></th>", html(shortened(class_name(view, c), 14)));
  rows += "</tr></thead>\n<tbody>\n";
  for (std::size_t truth = 0; truth < classes; ++truth) rows += row(view, mode, truth, classes);
  return "<div>" + boxed_table("confusion", mode.mode.name, rows + "</tbody>") + "</div>\n";
}

std::string commonest(const View& view, const ModeReport& mode, std::size_t classes) {
  std::vector<std::size_t> cells;
  for (std::size_t cell = 0; cell < mode.confusion.size(); ++cell)
    if (cell / classes != cell % classes && mode.confusion[cell] > 0) cells.push_back(cell);
  const std::size_t shown = std::min(kListed, cells.size());
  std::ranges::partial_sort(
      cells, cells.begin() + static_cast<std::ptrdiff_t>(shown), [&](std::size_t a, std::size_t b) {
        return mode.confusion[a] != mode.confusion[b] ? mode.confusion[a] > mode.confusion[b] : a < b;
      });
  std::string rows =
      "<thead><tr><th scope=\"col\">Label</th><th scope=\"col\">Predicted</th><th "
      "scope=\"col\">Images</th></tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < shown; ++i)
    rows += fmt::format("<tr><th scope=\"row\">{}</th><td class=\"left\">{}</td><td>{}</td></tr>\n",
                        html(class_name(view, cells[i] / classes)), html(class_name(view, cells[i] % classes)),
                        mode.confusion[cells[i]]);
  return fmt::format("<div>{}</div>\n",
                     boxed_table("numbers", mode.mode.name + ": the commonest confusions", rows + "</tbody>"));
}

}  // namespace

std::string confusion_matrices(const View& view) {
  std::string out;
  for (const ModeReport& mode : view.results.modes) {
    const std::size_t classes = side(mode);
    if (classes > 0) out += classes <= kMostClasses ? matrix(view, mode, classes) : commonest(view, mode, classes);
  }
  if (out.empty()) return {};
  return "<div class=\"matrices\">\n" + out + "</div>\n";
}

}  // namespace shiftnorm::report
