#pragma once

#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/container/json.hpp"

namespace shiftnorm::toolkit {

/// How statistics were made, as provenance says it: every field of the mode that its policy looks at, null where it is
/// absent. The mode's name is none of them.
[[nodiscard]] container::Json method_json(const adapt::Mode& mode);

}  // namespace shiftnorm::toolkit
