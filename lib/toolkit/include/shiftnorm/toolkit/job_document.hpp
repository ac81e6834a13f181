#pragma once

#include "shiftnorm/results/job_json.hpp"
#include "shiftnorm/toolkit/evaluate.hpp"
#include "shiftnorm/toolkit/recalibrate.hpp"

namespace shiftnorm::toolkit {

/// What a job found, as the document that results::job_json() writes. Callers add the names of the files that they
/// wrote
/// (`outputs`) and whether more were bad than they allow (`too_many_bad`).
[[nodiscard]] results::JobDocument document_of(const Adapted& outcome);
[[nodiscard]] results::JobDocument document_of(const AdaptedDomains& outcome);
[[nodiscard]] results::JobDocument document_of(const Evaluated& outcome);

}  // namespace shiftnorm::toolkit
