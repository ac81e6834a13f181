#include <fmt/format.h>

#include <cmath>

#include "options.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::app {
namespace {

[[noreturn]] void wrong(std::string_view name, std::string_view found, const std::string& expected) {
  throw ConfigError(fmt::format("--{} = {}; expected {}", name, printable(found), expected));
}

}  // namespace

std::string Options::text(std::string_view name, std::string absent) const {
  const auto found = values_.find(name);
  if (found != values_.end()) return found->second.front();
  return absent;
}

std::vector<std::string> Options::texts(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

std::int64_t Options::integer(std::string_view name, std::int64_t absent, std::int64_t least, std::int64_t most) const {
  if (!has(name)) return absent;
  const std::string given = text(name);
  std::int64_t value = 0;
  if (!parse_whole(given, value) || value < least || value > most)
    wrong(name, given,
          most == std::numeric_limits<std::int64_t>::max() ? fmt::format("an integer of at least {}", least)
                                                           : fmt::format("an integer from {} to {}", least, most));
  return value;
}

std::optional<double> Options::number(std::string_view name, double least, double most) const {
  if (!has(name)) return std::nullopt;
  const std::string given = text(name);
  double value = 0;
  if (!parse_whole(given, value) || !std::isfinite(value) || value < least || value > most)
    wrong(name, given,
          most == std::numeric_limits<double>::max() ? fmt::format("a number of at least {}", least)
                                                     : fmt::format("a number in [{}, {}]", least, most));
  return value;
}

std::uint64_t Options::bytes(std::string_view name) const {
  if (!has(name)) return 0;
  const std::string given = text(name);
  std::string_view digits = given;
  int shift = 0;
  if (!digits.empty() && digits.ends_with('B')) digits.remove_suffix(1);
  if (!digits.empty() && digits.ends_with('i')) digits.remove_suffix(1);
  constexpr std::string_view kUnits = "KMGT";
  if (!digits.empty())
    if (const std::size_t unit = kUnits.find(digits.back()); unit != std::string_view::npos) {
      shift = 10 * static_cast<int>(unit + 1);
      digits.remove_suffix(1);
    }
  std::uint64_t value = 0;
  if (!parse_whole(digits, value) || value == 0 || value > (std::uint64_t{1} << 60 >> shift))
    wrong(name, given, "a size such as 512M or 4G");
  return value << shift;
}

}  // namespace shiftnorm::app
