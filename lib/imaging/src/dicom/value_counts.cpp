#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "dicom/pixel_chain.hpp"
#include "dicom/stored_values.hpp"

namespace shiftnorm::imaging::dicom {

ValueCounts count_values(const Frame& frame) {
  const Stored stored(frame.stored);
  const auto n = static_cast<std::size_t>(frame.stored.module.frame_values());
  std::map<double, std::int64_t> counts;
  if (frame.stored.module.value_bytes() <= 2) {
    const std::int64_t low = frame.stored.module.is_signed ? -32768 : 0;
    std::vector<std::int64_t> histogram(65536);
    for (std::size_t i = 0; i < n; ++i) ++histogram[static_cast<std::size_t>(stored[i] - low)];
    for (std::size_t v = 0; v < histogram.size(); ++v) {
      const std::int64_t s = static_cast<std::int64_t>(v) + low;
      if (histogram[v] > 0 && !is_padding(frame.rules, s)) counts[modality_value(frame.rules, s)] += histogram[v];
    }
  } else {
    for (std::size_t i = 0; i < n; ++i)
      if (!is_padding(frame.rules, stored[i])) ++counts[modality_value(frame.rules, stored[i])];
  }
  return {counts.begin(), counts.end()};
}

double percentile(const ValueCounts& counts, double percent) {
  std::int64_t n = 0;
  for (const auto& [value, count] : counts) n += count;
  if (n == 0) return 0.0;
  const double position = percent / 100.0 * static_cast<double>(n - 1);
  const auto below = static_cast<std::int64_t>(std::floor(position));
  const auto value_at = [&](std::int64_t rank) {
    std::int64_t seen = 0;
    for (const auto& [value, count] : counts)
      if ((seen += count) > rank) return value;
    return counts.back().first;
  };
  const double first = value_at(below), second = value_at(std::min(below + 1, n - 1));
  return first + (second - first) * (position - static_cast<double>(below));
}

}  // namespace shiftnorm::imaging::dicom
