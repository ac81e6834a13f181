#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "anatomy.hpp"

namespace shiftnorm::phantom {

/// One exposure of a patient who does not exist: which of the scanner's patients, which of the patient's studies, which
/// of the study's series (one image each); all count from 1.
struct Exposure {
  std::size_t scanner = 0;  ///< index into kScanners
  std::int64_t patient = 1, study = 1, series = 1;
  Finding finding = Finding::normal;  ///< the same in all series of a study
};

/// The exposures of `patients` patients, in order. Of two patients the first has one study; the second has two, and the
/// second of these is exposed twice. Findings go round, so that every sixteen exposures hold four of each.
[[nodiscard]] std::vector<Exposure> exposures(std::size_t scanner, std::int64_t patients);

/// What the scanner made of it: levels in [0, 1]. All exposures of a patient show the same body.
[[nodiscard]] std::vector<double> expose(const Exposure& exposure, std::size_t side, std::uint64_t seed);

}  // namespace shiftnorm::phantom
