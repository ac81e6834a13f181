#pragma once

#include <string>
#include <vector>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/results/results.hpp"

namespace shiftnorm::results {

/// The schema of results.json, of single jobs' documents and of a sweep's summary. What is read is of this one.
inline constexpr std::int64_t kResultsSchema = 1;

/// results.json: stable keys in a fixed order. An undefined number is null beside a `reason`; without labels that is
/// every metric. The confusion matrix is left out (null, with a reason) above 100 classes. `verdict` holds what target
/// labels show: the mode (null when it cannot be determined), the reasons as far as RunResults has them, and the
/// confidence "high", "low" or "cannot tell"; `recommendation` the same without target labels, null where it was
/// switched off.
[[nodiscard]] std::string results_json(const RunResults& results);

/// What results.json holds: everything but what is said of single images (ids, labels, findings, probabilities) and
/// the texts of configuration and command. results_json() of it is the same text.
/// Errors  FormatError for a document of another schema, or with a key missing or of another kind.
[[nodiscard]] RunResults read_results(const container::Json& document);

/// `{"oneDNN": "2.6.0", ...}`; null for none.
[[nodiscard]] container::Json libraries_json(const std::vector<Library>& libraries);

}  // namespace shiftnorm::results
