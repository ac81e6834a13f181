#pragma once

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/results/mode_facts.hpp"

namespace shiftnorm::results {

/// A mode as results.json says it, written and read by one table of its fields.
[[nodiscard]] container::Json mode_json(const ModeFacts& mode);
[[nodiscard]] ModeFacts read_mode(const container::Json& json);

}  // namespace shiftnorm::results
