#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/stats/measured_facts.hpp"
#include "shiftnorm/stats/statistics.hpp"

namespace shiftnorm::stats {

/// A `.bnstats` file: statistics before any policy, with what is needed to merge and to apply them.
/// Layout  docs/reference/statistics-file.md: safetensors with mean, variance and counts of each layer and, where the
///         estimator keeps sums, these with what they are sums of (see Pooling) and their spread over units. Files
///         without the spread are read, only settling is not known. A layer that was not measured carries the source's
///         mean and variance, and zero counts.
struct StatisticsFile : MeasuredFacts {
  std::string semantics, estimator;  ///< by the names that users write (docs/reference/estimators.md)
  std::int64_t batch = 0;            ///< images in a batch; 0: no batches
  std::string shuffle;               ///< of the batches: "off", a seed; empty: no batches
  std::string job;                   ///< of an interrupted estimate: hash of everything it depends on; empty: finished
  Statistics layers;
};

/// What the sums of a file are; FormatError for an unknown combination.
[[nodiscard]] Pooling pooling_of(std::string_view semantics, std::string_view estimator);

/// Errors  FormatError naming the layer if a number is not finite.
[[nodiscard]] std::vector<std::byte> write_statistics(const StatisticsFile& file);
/// Errors  FormatError in one line for anything that write_statistics would not have written.
[[nodiscard]] StatisticsFile read_statistics(std::span<const std::byte> bytes);

/// A file and what messages call it.
struct NamedStatistics {
  std::string name;
  StatisticsFile file;
};

/// As if all images had been measured in one run, to the last bit of every sum; the order of the parts does not matter.
/// Patients add up; parts that identify none count none.
/// Batches must be whole, but for one part: a run ends with one ragged batch at most.
/// Errors  ConfigError with the reason: semantics or estimators that do not merge, parts that differ in model,
///         preprocessing, method, instruction set or measured layers; the same images in two parts, as far as
///         fingerprints of what was measured together and equal sums show it; fewer than two parts.
[[nodiscard]] StatisticsFile merged(std::span<const NamedStatistics> parts);

}  // namespace shiftnorm::stats
