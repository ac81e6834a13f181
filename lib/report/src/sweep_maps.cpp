#include <fmt/format.h>

#include <limits>

#include "format.hpp"
#include "sweep_sections.hpp"

namespace shiftnorm::report {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

/// What a map shows of some cells under a mode.
using Value = std::optional<double> (*)(const SweepView&, const std::vector<const SweepCell*>&, const std::string&);

std::optional<double> plain(const SweepView& view, const std::vector<const SweepCell*>& cells,
                            const std::string& mode) {
  return mean_of(cells, mode, view.metric);
}

HeatMap empty_map(const SweepView& view, std::string title, bool differences) {
  HeatMap map;
  map.title = std::move(title);
  map.row_title = view.rows->title;
  map.rows = view.rows->values;
  map.percent = display(view.metric).percent;
  map.differences = differences;
  return map;
}

/// Rows x columns under one mode; cells for all columns fill their row.
HeatMap crossed(const SweepView& view, const SweepPart& part, const std::string& mode, Value value, bool differences) {
  HeatMap map = empty_map(view, mode, differences);
  map.column_title = view.columns->title;
  map.columns = view.columns->values;
  for (std::size_t r = 0; r < map.rows.size(); ++r) {
    const std::vector<const SweepCell*> row = in_row(view, part, r);
    for (std::size_t c = 0; c < map.columns.size(); ++c) {
      std::vector<const SweepCell*> here;
      for (const SweepCell* cell : row)
        if (const Place at = view.column_of(*cell); !at || *at == c) here.push_back(cell);
      map.values.push_back(value(view, here, mode).value_or(kMissing));
    }
  }
  return map;
}

/// Rows x modes.
HeatMap beside_modes(const SweepView& view, const SweepPart& part, const std::vector<std::string>& modes, Value value,
                     bool differences) {
  HeatMap map = empty_map(view, differences ? "Difference to source" : display(view.metric).title, differences);
  map.column_title = "Mode";
  map.columns = modes;
  for (std::size_t r = 0; r < map.rows.size(); ++r)
    for (const std::string& mode : modes)
      map.values.push_back(value(view, in_row(view, part, r), mode).value_or(kMissing));
  return map;
}

std::vector<MapGroup> groups(const SweepView& view, const std::string& name, Value value, bool differences) {
  std::vector<std::string> modes = view.modes;
  if (differences) std::erase(modes, view.source);
  std::vector<MapGroup> out;
  if (view.rows == nullptr || modes.empty()) return out;
  for (std::size_t p = 0; p < std::min(view.parts.size(), kMostMappedParts); ++p) {
    const SweepPart& part = view.parts[p];
    MapGroup group{part.title, part.title.empty() ? name : fmt::format("{}-{}", name, part.title), {}};
    if (finished(part.cells).empty()) continue;
    if (view.columns == nullptr)
      group.maps.push_back(beside_modes(view, part, modes, value, differences));
    else
      for (const std::string& mode : modes) group.maps.push_back(crossed(view, part, mode, value, differences));
    out.push_back(std::move(group));
  }
  // One scale for all: the same colour is the same number on the whole page.
  std::vector<HeatMap> all;
  for (const MapGroup& group : out) all.insert(all.end(), group.maps.begin(), group.maps.end());
  const auto scale = common_scale(all);
  for (MapGroup& group : out)
    for (HeatMap& map : group.maps) map.scale = scale;
  return out;
}

}  // namespace

std::vector<MapGroup> value_maps(const SweepView& view) { return groups(view, view.metric, plain, false); }

std::vector<MapGroup> difference_maps(const SweepView& view) {
  if (view.source.empty() || !view.labelled) return {};
  return groups(view, "difference", mean_difference, true);
}

std::string maps_html(const std::vector<MapGroup>& groups) {
  std::string out;
  for (const MapGroup& group : groups) {
    if (!group.title.empty()) out += fmt::format("<h3>{}</h3>\n", html(group.title));
    out += heat_maps_html(group.maps, group.name);
  }
  return out;
}

}  // namespace shiftnorm::report
