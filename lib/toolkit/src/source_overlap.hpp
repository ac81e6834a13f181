#pragma once

#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

/// Images of the target that a source sample has too, or whose patients it has: reported in a note. Where `measured`
/// they are kept as Session::source_knows.
void compare_with_source(const imaging::Dataset& dataset, const imaging::SampleStore& store, bool measured,
                         Session& session);

}  // namespace shiftnorm::toolkit
