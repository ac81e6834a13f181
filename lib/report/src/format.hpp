#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "shiftnorm/metrics/metrics.hpp"

namespace shiftnorm::report {

/// How a metric is shown. Metrics that this table does not know are shown under their own name with three decimals.
struct Display {
  std::string title;     ///< at the head of a column
  std::string sentence;  ///< inside a sentence
  bool percent = false;  ///< a share, shown in per cent; differences in points
};
[[nodiscard]] Display display(std::string_view metric);

[[nodiscard]] std::string value_text(std::string_view metric, double value);  ///< "52.6 %", "1.234"
[[nodiscard]] std::string bare_text(std::string_view metric, double value);   ///< the same without the unit
/// A second line of a cell in small letters; nothing for none. `safe` is HTML already.
[[nodiscard]] std::string below_html(std::string_view safe);
/// The interval in small letters, or why there is none; nothing where neither is known.
[[nodiscard]] std::string interval_html(std::string_view metric, const std::optional<metrics::Interval>& interval,
                                        std::string_view reason);
[[nodiscard]] std::string range_text(std::string_view metric, metrics::Interval range);  ///< "48.2 to 57.0"
[[nodiscard]] std::string difference_text(std::string_view metric, double difference);   ///< "+33.8 points", "-0.120"
[[nodiscard]] std::string p_text(double p);                                              ///< "p < 0.001", "p = 0.031"
[[nodiscard]] std::string test_text(std::string_view test);                              ///< "McNemar", "bootstrap"
[[nodiscard]] std::string level_text(double level);                                      ///< "95 %"
[[nodiscard]] std::string seconds_text(double seconds);
[[nodiscard]] std::string count_text(std::int64_t count, std::string_view noun);  ///< "1 image", "500 images"

/// Safe as HTML text and inside a quoted attribute. Lines stay lines; control bytes and bad UTF-8 become '?'.
[[nodiscard]] std::string html(std::string_view text);
/// The same for running text: a number stays on one line with its unit, and with what it equals.
[[nodiscard]] std::string html_sentence(std::string_view text);
/// At most `characters` code points, the last one an ellipsis where text was cut. Takes valid UTF-8.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t characters);

}  // namespace shiftnorm::report
