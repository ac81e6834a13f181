#pragma once

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/results/mixture.hpp"

namespace shiftnorm::results {

[[nodiscard]] container::Json mixture_json(const MixtureFacts& mixture);
/// Errors  FormatError for anything that mixture_json() would not have written.
[[nodiscard]] MixtureFacts read_mixture(const container::Json& json);

}  // namespace shiftnorm::results
