#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/results/settling.hpp"
#include "shiftnorm/stats/statistics.hpp"

namespace shiftnorm::toolkit {

/// `measured` by a mode of this method on so many images, `source` as the file has it (empty if it has none).
[[nodiscard]] results::Settling settling_of(const adapt::Mode& mode, const stats::Statistics& measured,
                                            const stats::Statistics& source, std::int64_t images);

/// What a user should know about an estimate, one line each: that it has not settled, and what would be safer.
[[nodiscard]] std::vector<std::string> notes_on(const adapt::Mode& mode, const results::Settling& settling);

/// The same about its batches: those of one class alone, what batch-mean loses, one image's part in a ragged batch.
/// labels: one per image, -1 where there is none.
[[nodiscard]] std::vector<std::string> notes_on_batches(const adapt::Mode& mode, std::span<const std::int32_t> labels);

}  // namespace shiftnorm::toolkit
