#pragma once

#include "shiftnorm/core/progress.hpp"
#include "shiftnorm/imaging/transform.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

/// Told before any image is read: a mode that a network with folded BatchNorms cannot be treated with.
/// Errors  FormatError if there is no BatchNorm to measure and no source sample to bring some back with; ConfigError
///         for a policy that asks for what was folded away.
void check_folded(const RestoredModel& model, const SessionOptions& options);

/// Puts a BatchNorm behind every folded convolution (docs/reference/estimators.md#folded-networks), its source
/// statistics measured on the source sample through the untouched network. Without a sample nothing changes. The
/// session has its model and target images.
void bring_back_folded(const SessionOptions& options, const imaging::Pipeline& pipeline, Session& session,
                       const Progress& progress);

}  // namespace shiftnorm::toolkit
