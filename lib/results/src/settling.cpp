#include "shiftnorm/results/settling.hpp"

#include <cmath>
#include <limits>

#include "json_parts.hpp"

namespace shiftnorm::results {

using container::Json;

Json settling_json(const Settling& settling) {
  const auto number = [](double value) { return std::isfinite(value) ? Json(value) : Json(); };
  Json layers = Json::array();
  for (const stats::LayerSettling& layer : settling.layers)
    layers.push(Json::object({{"layer", layer.name}, {"error", number(layer.error)}, {"shift", number(layer.shift)}}));
  return Json::object(
      {{"images", settling.images},
       {"settled", settling.settled()},
       {"threshold", stats::kSettled},
       {"worst", Json::object({{"layer", settling.worst()->name}, {"error", number(settling.worst()->error)}})},
       {"prior_images", value_or_null(settling.prior)},
       {"layers", std::move(layers)}});
}

Settling read_settling(const Json& json) {
  constexpr double kUntold = std::numeric_limits<double>::quiet_NaN();
  Settling out;
  out.images = json.at("images").as_integer();
  out.prior = number_at(json, "prior_images");
  for (const Json& one : json.at("layers").as_array()) {
    stats::LayerSettling& layer = out.layers.emplace_back();
    layer.name = one.at("layer").as_string();
    layer.error = number_at(one, "error").value_or(kUntold);
    layer.shift = number_at(one, "shift").value_or(kUntold);
  }
  return out;
}

}  // namespace shiftnorm::results
