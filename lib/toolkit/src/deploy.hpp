#pragma once

#include "shiftnorm/graph/graph.hpp"
#include "shiftnorm/stats/statistics.hpp"
#include "shiftnorm/toolkit/restore.hpp"

namespace shiftnorm::toolkit {

/// The network with these statistics in its BatchNorms (one entry per layer), rounded to float32.
[[nodiscard]] graph::Graph with_statistics(const RestoredModel& model, const stats::Statistics& statistics);

/// The network without the BatchNorms that a source sample brought back: they go into their convolutions again.
[[nodiscard]] graph::Graph without_unfolded(const graph::Graph& graph);

/// The network without the BatchNorms that can be folded away, checked against the original on seeded inputs.
/// Errors  UnsupportedError if the folded network's outputs differ by more than rounding: it must not be written.
[[nodiscard]] graph::Graph folded(const graph::Graph& graph);

}  // namespace shiftnorm::toolkit
