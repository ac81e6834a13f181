#include "exposure.hpp"

#include <algorithm>
#include <array>

#include "random.hpp"
#include "scanner.hpp"

namespace shiftnorm::phantom {

std::vector<Exposure> exposures(std::size_t scanner, std::int64_t patients) {
  struct Step {
    std::int64_t patient, study, series;  ///< of a pair of patients
    std::size_t finding;                  ///< how far the finding has gone round
  };
  constexpr std::array kPair{Step{1, 1, 1, 0}, Step{2, 1, 1, 1}, Step{2, 2, 1, 2}, Step{2, 2, 2, 2}};
  std::vector<Exposure> all;
  for (std::int64_t pair = 0; 2 * pair < patients; ++pair)
    for (const Step& step : kPair) {
      const auto finding = (static_cast<std::size_t>(pair) + step.finding) % kFindings.size();
      const std::int64_t patient = 2 * pair + step.patient;
      if (patient <= patients)
        all.push_back({scanner, patient, step.study, step.series, static_cast<Finding>(finding)});
    }
  return all;
}

std::vector<double> expose(const Exposure& exposure, std::size_t side, std::uint64_t seed) {
  constexpr std::uint64_t kArchive = 0xd1c0;  // other patients than those of the image folders
  const auto number = [](std::int64_t n) { return static_cast<std::uint64_t>(n); };
  const std::uint64_t patient = mixed(mixed(mixed(seed, kArchive), exposure.scanner), number(exposure.patient));
  Random body(patient), stance(mixed(mixed(patient, number(exposure.study)), number(exposure.series)));
  const Picture picture = chest(exposure.finding, std::min(side, kFinestDrawing), body, stance);
  return acquire(picture, kScanners[exposure.scanner], side, stance);
}

}  // namespace shiftnorm::phantom
