#include "shiftnorm/toolkit/cohort.hpp"

#include <fmt/format.h>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::toolkit {
namespace {

std::string patients_of(std::int64_t patients, const std::string& domain) {
  return fmt::format("{}{} patient{}", domain.empty() ? "" : fmt::format("domain '{}': ", domain), patients,
                     patients == 1 ? "" : "s");
}

}  // namespace

void check_cohort(const std::optional<std::int64_t>& patients, bool allowed, const std::string& domain) {
  if (!patients || *patients >= kSmallestCohort || allowed) return;
  throw ConfigError(
      fmt::format("{}; expected at least {} for an adapted checkpoint, whose means and variances could reveal "
                  "individuals (--allow-small-cohort, or allow_small_cohort under export, writes it anyway)",
                  patients_of(*patients, domain), kSmallestCohort));
}

std::vector<std::string> notes_on_cohort(const std::optional<std::int64_t>& patients, const std::string& domain) {
  if (!patients || *patients >= kFewPatients) return {};
  return {fmt::format("only {}: the output may reveal individuals (no warning from {} on)",
                      patients_of(*patients, domain), kFewPatients)};
}

std::string cohort_text(const std::optional<std::int64_t>& patients) {
  if (!patients) return "not applicable: patients are not identified";
  return *patients < kSmallestCohort ? "small, allowed by the user" : "sufficient";
}

}  // namespace shiftnorm::toolkit
