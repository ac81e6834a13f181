#pragma once

#include <string>
#include <vector>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/shape.hpp"
#include "shiftnorm/exec/plan.hpp"

namespace shiftnorm::app {

/// `inspect --plan`: the kernels that a network runs on here, step by step.
[[nodiscard]] std::string plan_text(const std::vector<exec::PlanStep>& steps);
[[nodiscard]] container::Json plan_json(const std::vector<exec::PlanStep>& steps);

/// `--sample C,H,W`. Errors  ConfigError.
[[nodiscard]] Shape sample_shape(const std::string& text);

}  // namespace shiftnorm::app
