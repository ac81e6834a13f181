#include "shiftnorm/adapt/parse_layers.hpp"

#include <fmt/format.h>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::adapt {
namespace {

using Count = std::optional<std::int64_t> LayerRule::*;
struct CountKey {
  std::string_view key;
  Count member;
};
constexpr CountKey kCounts[] = {{"first=", &LayerRule::first},
                                {"last=", &LayerRule::last},
                                {"min_level=", &LayerRule::min_level},
                                {"max_level=", &LayerRule::max_level}};

void read_part(const std::string& part, LayerRule& rule) {
  for (const CountKey& known : kCounts)
    if (part.starts_with(known.key)) {
      std::int64_t value = 0;
      if (!parse_whole(std::string_view(part).substr(known.key.size()), value) || value < 1)
        throw ConfigError(fmt::format("'{}'; expected {}N with N at least 1", printable(part), known.key));
      rule.*known.member = value;
      return;
    }
  if (part.empty() || part == "!" || part.find('=') != std::string::npos)
    throw ConfigError(fmt::format("'{}'; expected a pattern, !pattern, first=N, last=N, min_level=N or max_level=N",
                                  printable(part)));
  if (part[0] == '!')
    rule.exclude.push_back(part.substr(1));
  else
    rule.include.push_back(part);
}

}  // namespace

LayerRule parse_layers(const std::string& text) {
  LayerRule rule;
  for (const std::string& part : split(text, ',')) read_part(part, rule);
  return rule;
}

}  // namespace shiftnorm::adapt
