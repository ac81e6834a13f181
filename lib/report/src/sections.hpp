#pragma once

#include <string>
#include <string_view>

#include "view.hpp"

/// The parts of the page, each a complete piece of HTML, empty where the run has nothing to show in it.
namespace shiftnorm::report {

[[nodiscard]] std::string scores_table(const View& view);     ///< modes x metrics with intervals
[[nodiscard]] std::string bars(const View& view);             ///< one picture per metric
[[nodiscard]] std::string difference_plot(const View& view);  ///< differences to source with their intervals
[[nodiscard]] std::string differences_table(const View& view);
[[nodiscard]] std::string recall_table(const View& view);  ///< classes x modes
[[nodiscard]] std::string confusion_matrices(const View& view);
[[nodiscard]] std::string reliability_diagrams(const View& view);
[[nodiscard]] std::string cost_table(const View& view);     ///< confidence, entropy, seconds, notes
[[nodiscard]] std::string domains_table(const View& view);  ///< modes x domains; empty without domains
[[nodiscard]] std::string bad_images(const View& view);
[[nodiscard]] std::string provenance(const View& view);
[[nodiscard]] std::string repetition(const View& view);  ///< the command and the resolved configuration

[[nodiscard]] std::string style_sheet();
[[nodiscard]] std::string_view script();
/// What pictures need of it when they stand alone, in light colours.
[[nodiscard]] std::string picture_style();

}  // namespace shiftnorm::report
