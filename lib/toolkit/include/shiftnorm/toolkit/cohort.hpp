#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace shiftnorm::toolkit {

/// A mean and a variance over few patients may reveal each of them, and so does a small count: from 1 to 10 are kept
/// back, as statistical offices do with small cells.
inline constexpr std::int64_t kSmallestCohort = 11;
/// With fewer a file may be written, with a warning.
inline constexpr std::int64_t kFewPatients = 30;

/// Errors  ConfigError if what was measured on so many patients must not go into a file that leaves its place: fewer
///         than kSmallestCohort, unless `allowed`. Without patients (plain images) there is nothing to count.
///         domain: empty, or the one whose patients they are.
void check_cohort(const std::optional<std::int64_t>& patients, bool allowed, const std::string& domain = {});

/// For people: that there are few patients, if so.
[[nodiscard]] std::vector<std::string> notes_on_cohort(const std::optional<std::int64_t>& patients,
                                                       const std::string& domain = {});

/// For provenance: "sufficient", "small, allowed by the user" or "not applicable: patients are not identified".
[[nodiscard]] std::string cohort_text(const std::optional<std::int64_t>& patients);

}  // namespace shiftnorm::toolkit
