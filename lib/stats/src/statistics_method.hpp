#pragma once

#include <cstdint>
#include <string_view>

#include "shiftnorm/stats/statistics_file.hpp"

namespace shiftnorm::stats {

/// A way to measure that a file may name.
struct Method {
  std::string_view semantics, estimator;
  Pooling pooling;
  std::string_view unmergeable;  ///< why not; empty: it merges
};
/// Errors  FormatError for a combination that measures nothing.
[[nodiscard]] const Method& method_of(std::string_view semantics, std::string_view estimator);

}  // namespace shiftnorm::stats
