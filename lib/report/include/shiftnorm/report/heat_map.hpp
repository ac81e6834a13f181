#pragma once

#include <string>
#include <vector>

namespace shiftnorm::report {

/// Values of two things crossed, such as corruptions x modes. Plain texts.
struct HeatMap {
  std::string title;                    ///< "Accuracy"
  std::string row_title, column_title;  ///< "Shift", "Mode"
  std::vector<std::string> rows, columns;
  std::vector<double> values;  ///< [rows, columns]; NaN: not computed
  bool percent = false;        ///< shares: shown times 100, with one decimal
  bool differences = false;    ///< from 0 both ways: two colours, the stronger the further
};

/// The picture with its numbers as a table, a piece of HTML for a page of this room. `number`: another one for each map
/// of a page. Errors  ShapeError unless the values fit rows x columns.
[[nodiscard]] std::string heat_map_html(const HeatMap& map, std::size_t number = 1);
/// The picture as a file of its own (SVG 1.1).
[[nodiscard]] std::string heat_map_svg(const HeatMap& map);

/// A page of maps, as report_html() makes it: `lead` is a sentence under the title.
[[nodiscard]] std::string heat_map_page(const std::string& title, const std::string& lead,
                                        const std::vector<HeatMap>& maps, const std::string& program_version);

}  // namespace shiftnorm::report
