#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/adapt/engine.hpp"

namespace shiftnorm::toolkit {

/// A measurement, an evaluation, or a stream that is both.
struct ResultPiece {
  std::string key;
  std::string run;   ///< that did it
  adapt::Mode mode;  ///< for which it was done
  adapt::Timing seconds;
  stats::Statistics measured;
  std::int64_t images = 0;               ///< that were measured
  std::vector<adapt::LeftOut> left_out;  ///< by their place in the store
  std::optional<adapt::Outputs> outputs;
  std::optional<adapt::Outputs> after;  ///< of a stream
};

/// As bytes, without key and run; of the mode only its name. Nothing if a statistic is not a finite number.
[[nodiscard]] std::optional<std::vector<std::byte>> write_piece(const ResultPiece& piece);
/// Errors  FormatError for anything that write_piece would not have written.
[[nodiscard]] ResultPiece read_piece(std::span<const std::byte> bytes);

}  // namespace shiftnorm::toolkit
