#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "svg.hpp"

namespace shiftnorm::report {

/// A rectangle of a picture in which values are drawn: x from `left` to `right`, y from `bottom` up to `top`, in values
/// from x0 to x1 and y0 to y1. What lies outside is drawn at the edge.
struct Panel {
  double left = 0, top = 0, right = 0, bottom = 0;
  double x0 = 0, x1 = 1, y0 = 0, y1 = 1;
  [[nodiscard]] double x(double value) const;
  [[nodiscard]] double y(double value) const;
};

/// Horizontal lines with their numbers left of the panel.
void draw_rows(Svg& svg, const Panel& panel, const std::vector<double>& values, std::string_view unit = {});

/// Values of the network's layers from left to right, in a frame that the pictures of layers share: their numbers
/// below, and the name and values of each under the pointer.
struct LayerAxis {
  std::vector<std::string> names;
  double left = 0, right = 0;
  [[nodiscard]] double x(std::size_t layer) const;  ///< middle of its place
  [[nodiscard]] double step() const;
  void draw_numbers(Svg& svg, double y) const;
  /// `tips`: one for each layer.
  void draw_tips(Svg& svg, double top, double bottom, const std::vector<std::string>& tips) const;
};

}  // namespace shiftnorm::report
