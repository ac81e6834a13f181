#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "shiftnorm/stats/measured_facts.hpp"

namespace shiftnorm::stats {

/// Counts in files: what a double holds exactly.
inline constexpr std::int64_t kMostCounted = std::int64_t{1} << 53;

using Metadata = std::map<std::string, std::string>;

/// Errors  FormatError unless the text under `key` is a whole number from 0 to kMostCounted.
[[nodiscard]] std::int64_t parse_count(const Metadata& metadata, const std::string& key);

/// The facts as texts of `__metadata__`; absent and empty are the same.
void write_facts(const MeasuredFacts& facts, Metadata& metadata);
/// Errors  FormatError for a count that is none, and without the network's hash.
void read_facts(const Metadata& metadata, MeasuredFacts& facts);

/// One of several files that are to be merged, and what messages call it.
struct NamedFacts {
  std::string_view name;
  const MeasuredFacts* facts;
};

/// Errors  ConfigError `part: found; expected what`.
[[noreturn]] void refuse_part(std::string_view part, const std::string& found, const std::string& expected);
/// Errors  ConfigError if a text that parts must have in common differs.
void require_same(std::string_view what, std::string_view first, const std::string& of_first, std::string_view part,
                  const std::string& of_part);

inline constexpr std::string_view kDifferentImages = "parts of different images, as these would count twice";

/// What all parts together are of. Patients add up; parts that identify none count none.
/// Errors  ConfigError for parts that differ in network, preprocessing, synthetic shift or instruction set, and for
///         images that two of them have, as far as fingerprints show it: of images that lie in two parts only what was
///         measured as a whole is known.
[[nodiscard]] MeasuredFacts merged_facts(std::span<const NamedFacts> parts);

}  // namespace shiftnorm::stats
