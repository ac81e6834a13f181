#pragma once

#include <memory>

#include "kernel.hpp"
#include "shiftnorm/core/shape.hpp"

namespace shiftnorm::exec {

/// Local response normalisation across channels of a blocked value, by oneDNN:
/// y = x / (bias + alpha / size * sum of squares over `size` channels around it)^beta. Null for even sizes, whose
/// windows oneDNN centres elsewhere.
[[nodiscard]] std::unique_ptr<Kernel> compile_lrn(const Shape& shape, std::int64_t size, float alpha, float beta,
                                                  float bias, std::int64_t block);

}  // namespace shiftnorm::exec
