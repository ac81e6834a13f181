#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace shiftnorm::report {

struct Point {
  double x = 0, y = 0;
};

/// Builds one inline SVG picture. Colours come from the page's style sheet through class names. Units: CSS pixels.
/// Texts given here are plain; they are escaped.
class Svg {
 public:
  /// `id` must be unique on the page: it ties title and description to the picture for screen readers.
  Svg(std::string_view id, double width, double height, std::string_view title, std::string_view description);
  Svg& rect(std::string_view style, double x, double y, double width, double height);
  Svg& line(std::string_view style, double x1, double y1, double x2, double y2);
  Svg& circle(std::string_view style, double x, double y, double radius);
  Svg& text(std::string_view style, double x, double y, std::string_view words);
  /// The same, with more words in another style after it on the same line.
  Svg& text(std::string_view style, double x, double y, std::string_view words, std::string_view more_style,
            std::string_view more);
  /// Filled as strongly as `strength` in [0, 1] says; `tip` appears under the pointer.
  Svg& cell(std::string_view style, double x, double y, double width, double height, double strength,
            std::string_view tip);
  /// Straight lines from point to point; NaN ordinates leave a gap. `closed_at`: an area down to that ordinate.
  Svg& curve(std::string_view style, std::span<const Point> points, std::optional<double> closed_at = std::nullopt);
  /// Reading upwards, ending at (x, y).
  Svg& upright(std::string_view style, double x, double y, std::string_view words);
  /// A horizontal whisker with end caps.
  Svg& whisker(double x1, double x2, double y);
  [[nodiscard]] std::string finish() &&;

 private:
  std::string out_;
};

/// The smallest of 1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8 times a power of ten (quarters of them are round) that is at
/// least `value`; 1 for 0 and for what is not finite.
[[nodiscard]] double nice_ceiling(double value);

}  // namespace shiftnorm::report
