#pragma once

#include <string>
#include <vector>

namespace shiftnorm::report {

/// A picture with the numbers it is drawn from, for those who cannot see it or want to copy them.
struct Figure {
  std::string file;     ///< name of its file without extension, and its id on the page: "reliability-adabn"
  std::string caption;  ///< plain text, as `note`, which is smaller beside it
  std::string note;
  std::string svg;      ///< from Svg::finish()
  std::string numbers;  ///< thead and tbody of a table, HTML; empty: the page shows them elsewhere
};

/// `style`: a class of the grid, "" or "small" or "wide". Empty without figures.
[[nodiscard]] std::string figures_html(const std::vector<Figure>& figures, std::string_view style = {});

/// The picture as a file of its own, with its colours (light) inside. Source  SVG 1.1.
[[nodiscard]] std::string standalone(const Figure& figure);

/// `text` as part of a file name or an id: letters, digits and '-'; "" becomes "unnamed".
[[nodiscard]] std::string slug(std::string_view text);

}  // namespace shiftnorm::report
