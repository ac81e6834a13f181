#pragma once

#include <string>
#include <vector>

#include "shiftnorm/report/heat_map.hpp"
#include "sweep_view.hpp"

/// The parts of a sweep's page, as pieces of HTML: empty where the sweep has nothing to show in them.
namespace shiftnorm::report {

/// Heat maps under one heading.
struct MapGroup {
  std::string title;  ///< empty: one group
  std::string name;   ///< of their files
  std::vector<HeatMap> maps;
};
/// More parts than these have their maps in no one's mind: tables have all.
inline constexpr std::size_t kMostMappedParts = 12;

[[nodiscard]] std::vector<MapGroup> value_maps(const SweepView& view);
[[nodiscard]] std::vector<MapGroup> difference_maps(const SweepView& view);
[[nodiscard]] std::string maps_html(const std::vector<MapGroup>& groups);

[[nodiscard]] std::string sweep_verdict(const SweepView& view);
[[nodiscard]] std::string means_table(const SweepView& view);  ///< parts x modes, over all runs
[[nodiscard]] std::string row_means_table(
    const SweepView& view);                                     ///< values of the rows x modes, a table for each part
[[nodiscard]] std::string regret_table(const SweepView& view);  ///< recommendation against always the same mode
[[nodiscard]] std::string errors_table(const SweepView& view);  ///< where the recommendation errs most
[[nodiscard]] std::string runs_table(const SweepView& view);    ///< every run, with a link to its page
[[nodiscard]] std::string sweep_provenance(const SweepView& view);
[[nodiscard]] std::string sweep_repetition(const SweepView& view);

}  // namespace shiftnorm::report
