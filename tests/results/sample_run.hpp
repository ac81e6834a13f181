#pragma once

#include "shiftnorm/results/results.hpp"

namespace shiftnorm::test {

/// A run as the main job leaves it: 500 made-up predictions of 10 classes by six modes, with the accuracies of the
/// published ResNet-20 under noise (source 18.8 %, adabn 52.6, blend16 54.0, disabled 11.6, identity 10.0,
/// torch-update-bn 52.2). Everything derived is computed by `metrics`, with `resamples` bootstrap resamples.
[[nodiscard]] results::RunResults sample_run(std::int64_t resamples = 200);

/// The same images without labels: no metric, no comparison.
[[nodiscard]] results::RunResults unlabelled_run();

/// A run of `source` and one other mode over `right.size()` images of two classes; each entry says whether the mode is
/// right.
[[nodiscard]] results::RunResults small_run(const std::vector<bool>& source_right,
                                            const std::vector<bool>& other_right);

}  // namespace shiftnorm::test
