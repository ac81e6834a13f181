#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace shiftnorm::report {

/// Values of two things crossed, such as corruptions x severities. Plain texts.
struct HeatMap {
  std::string title;                    ///< "adabn"
  std::string row_title, column_title;  ///< "Shift", "Severity"
  std::vector<std::string> rows, columns;
  std::vector<double> values;  ///< [rows, columns]; NaN: not computed
  bool percent = false;        ///< shares: shown times 100, with one decimal
  bool differences = false;    ///< from 0 both ways: two colours, the stronger the further
  /// The values that have the weakest and the strongest colour, where several maps are to be compared; empty: the
  /// map's.
  std::optional<std::pair<double, double>> scale;
};

/// The least and the largest value of the maps; of differences the largest one both ways. Empty without a finite value.
[[nodiscard]] std::optional<std::pair<double, double>> common_scale(const std::vector<HeatMap>& maps);

/// The pictures with their numbers as tables, a piece of HTML for a page of this module, side by side where there is
/// room. `group`: part of their file names, another one for each piece of a page. Errors  ShapeError unless the values
/// fit rows x columns.
[[nodiscard]] std::string heat_maps_html(const std::vector<HeatMap>& maps, const std::string& group);
/// The picture as a file of its own (SVG 1.1).
[[nodiscard]] std::string heat_map_svg(const HeatMap& map);
/// The name of that file without its extension.
[[nodiscard]] std::string heat_map_name(const HeatMap& map, const std::string& group);

}  // namespace shiftnorm::report
