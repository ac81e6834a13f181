#include "shiftnorm/core/names.hpp"

#include <fmt/format.h>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm {
namespace {

/// In a list longer than this, the name that was meant is not seen at a glance.
constexpr std::size_t kSeenAtOnce = 6;

}  // namespace

std::string alternatives(std::span<const std::string> names) {
  if (names.size() < 2) return join(names);
  return fmt::format("{} or {}", join(names.first(names.size() - 1), names.size()), names.back());
}

std::string not_among(const std::string& found, std::string_view word, std::span<const std::string> names) {
  const std::string near = names.size() > kSeenAtOnce ? nearest(word, names) : std::string();
  return fmt::format("{}{}; expected {}", found, near.empty() ? "" : fmt::format(" (nearest is '{}')", near),
                     alternatives(names));
}

void refuse_name(std::string_view what, std::string_view found, std::span<const std::string> names) {
  throw ConfigError(not_among(fmt::format("{} '{}'", what, printable(found)), found, names));
}

void refuse_value(std::string_view what) { throw Error(fmt::format("a {} without a name", what)); }

}  // namespace shiftnorm
