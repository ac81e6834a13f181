#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "figure.hpp"
#include "shiftnorm/results/view.hpp"

/// The parts of the page: tables as complete pieces of HTML, pictures as figures, empty where the run has nothing to
/// show in them.
namespace shiftnorm::report {

using results::View;

[[nodiscard]] std::vector<Figure> bar_figures(const View& view);          ///< one per metric
[[nodiscard]] std::vector<Figure> difference_figures(const View& view);   ///< to source, with intervals, one per metric
[[nodiscard]] std::vector<Figure> reliability_figures(const View& view);  ///< one per mode
[[nodiscard]] std::vector<Figure> roc_figures(const View& view);          ///< one per mode, the classes' mean
[[nodiscard]] std::vector<Figure> class_figures(const View& view);        ///< predicted against labels, one per mode
[[nodiscard]] std::vector<Figure> drift_figures(const View& view);        ///< one per set of statistics measured
[[nodiscard]] std::vector<Figure> settling_figures(const View& view);     ///< the same: whether images were enough

[[nodiscard]] std::vector<Figure> stream_figures(const View& view);  ///< streaming: one per mode

[[nodiscard]] std::string subgroups_table(const View& view);  ///< modes x subgroups
[[nodiscard]] std::string findings_table(const View& view);   ///< findings x modes
[[nodiscard]] std::string scores_table(const View& view);     ///< modes x metrics with intervals
[[nodiscard]] std::string differences_table(const View& view);
[[nodiscard]] std::string recall_table(const View& view);  ///< classes x modes
[[nodiscard]] std::string confusion_matrices(const View& view);
[[nodiscard]] std::string cost_table(const View& view);     ///< confidence, entropy, seconds, notes
[[nodiscard]] std::string domains_table(const View& view);  ///< modes x domains; empty without domains
[[nodiscard]] std::string bad_images(const View& view);
[[nodiscard]] std::string provenance(const View& view);
[[nodiscard]] std::string repetition(const View& view);  ///< the command and the resolved configuration

[[nodiscard]] std::string style_sheet();
[[nodiscard]] std::string_view script();
/// What pictures need of it when they are separate files, in light colours.
[[nodiscard]] std::string picture_style();

}  // namespace shiftnorm::report
