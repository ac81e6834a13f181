#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// Indices of the samples that a limit keeps, ascending: first `per_class`, then `images` of what is left.
/// The same samples and seed give the same draw on every machine.
/// Errors  ConfigError for numbers below 1, and for per_class where samples have no label.
[[nodiscard]] std::vector<std::size_t> select(const Limit& limit, std::span<const Sample> samples);

}  // namespace shiftnorm::imaging
