#include "layer_rule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/pattern.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::adapt {
namespace {

void check(std::string_view key, const std::vector<std::string>& patterns,
           const std::vector<graph::BatchNorm>& layers) {
  for (const std::string& pattern : patterns) {
    if (std::any_of(layers.begin(), layers.end(),
                    [&](const graph::BatchNorm& l) { return matches_pattern(pattern, l.name); }))
      continue;
    std::vector<std::string> names;
    names.reserve(layers.size());
    for (const graph::BatchNorm& layer : layers) names.push_back(layer.name);
    throw ConfigError(fmt::format("layers.{} '{}' matches no BatchNorm; expected a pattern for some of {}", key,
                                  printable(pattern), join(names, 6)));
  }
}

bool any_match(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& p) { return matches_pattern(p, name); });
}

}  // namespace

std::vector<bool> chosen(const LayerRule& rule, const std::vector<graph::BatchNorm>& layers) {
  check("include", rule.include, layers);
  check("exclude", rule.exclude, layers);
  const auto n = static_cast<std::int64_t>(layers.size());
  std::vector<bool> out(layers.size());
  for (std::int64_t i = 0; i < n; ++i) {
    const graph::BatchNorm& layer = layers[static_cast<std::size_t>(i)];
    out[static_cast<std::size_t>(i)] =
        (rule.include.empty() || any_match(rule.include, layer.name)) && !any_match(rule.exclude, layer.name) &&
        i < rule.first.value_or(n) && i >= n - rule.last.value_or(n) &&
        layer.level >= rule.min_level.value_or(layer.level) && layer.level <= rule.max_level.value_or(layer.level);
  }
  return out;
}

}  // namespace shiftnorm::adapt
