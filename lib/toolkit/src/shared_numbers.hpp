#pragma once

#include <span>
#include <vector>

#include "shiftnorm/toolkit/restore.hpp"

namespace shiftnorm::toolkit {

/// Where the file has the same numbers under several names, those of which the network uses none follow the one that it
/// uses: patches for them too, as a file made anew needs. In place they follow by themselves.
[[nodiscard]] std::vector<formats::Patch> with_other_names(const RestoredModel& model,
                                                           std::vector<formats::Patch> patches);

/// Errors  UnsupportedError if what is patched in place is, under another name, something else of the network that is
///         to stay as it is: a running variance of ones that is the same numbers as a weight of ones.
void check_apart(const RestoredModel& model, std::span<const formats::Patch> patches);

}  // namespace shiftnorm::toolkit
