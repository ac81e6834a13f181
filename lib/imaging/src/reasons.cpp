#include "reasons.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging {

std::string counted_reasons(std::span<const Bad> files, std::size_t most) {
  std::map<std::string, std::int64_t> reasons;
  for (const Bad& file : files)
    ++reasons[file.kind.empty() ? file.reason.substr(0, file.reason.find("; expected")) : file.kind];
  std::vector<std::pair<std::string, std::int64_t>> sorted(reasons.begin(), reasons.end());
  std::ranges::stable_sort(sorted, std::greater<>(), &std::pair<std::string, std::int64_t>::second);
  std::vector<std::string> parts;
  parts.reserve(sorted.size());
  for (const auto& [text, n] : sorted) parts.push_back(fmt::format("{} {}", n, text));
  return join(parts, most);
}

}  // namespace shiftnorm::imaging
