#pragma once

#include "shiftnorm/experiment/session.hpp"

namespace shiftnorm::experiment {

/// Images of the target that a source sample has too, or whose patients it has: told in a note. Where `measured` they
/// are kept as Session::source_knows.
void compare_with_source(const imaging::Dataset& dataset, const imaging::SampleStore& store, bool measured,
                         Session& session);

}  // namespace shiftnorm::experiment
