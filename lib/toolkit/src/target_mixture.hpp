#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/results/mixture.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

/// A mode as it is carried out on some images: of `matched`, with the mixture that they have.
struct CarriedOut {
  adapt::Mode mode;
  std::optional<results::MixtureFacts> mixture;  ///< of policy matched
};

/// Finds the shares that modes ask for; what was found for one is not found again.
class MixtureFinder {
 public:
  MixtureFinder(const Session& session, std::uint64_t seed) : session_(session), seed_(seed) {}

  /// `images`: of the store, ascending: those that are measured.
  /// Errors  ConfigError for shares of classes that the reference does not have, that do not add up to 1, or `labels`
  ///         where no image has one; as adapt::mixture_of().
  [[nodiscard]] CarriedOut find(const adapt::Mode& mode, const std::vector<std::size_t>& images,
                                const Progress& progress);

 private:
  [[nodiscard]] results::MixtureFacts facts(const adapt::Mode& mode, const std::vector<std::size_t>& images,
                                            const Progress& progress);

  const Session& session_;
  std::uint64_t seed_;
  std::map<std::string, results::MixtureFacts> found_;
};

/// What the user should know of a mixture, one line each: the largest shares, and whether they can be relied on.
[[nodiscard]] std::vector<std::string> notes_on(const results::MixtureFacts& mixture);

/// What each domain's mode asks for, on its images; the modes are then carried out with it.
[[nodiscard]] std::vector<std::optional<results::MixtureFacts>> find_mixtures(MixtureFinder& finder,
                                                                              std::vector<adapt::Domain>& treated,
                                                                              const Progress& progress);

/// Outputs of a mode with a prior correction, corrected; those of others are left.
void correct_outputs(const adapt::Mode& mode, config::OutputKind kind, adapt::Outputs& outputs);
/// Of some images alone.
void correct_outputs(const adapt::Mode& mode, config::OutputKind kind, const std::vector<std::size_t>& images,
                     adapt::Outputs& outputs);

}  // namespace shiftnorm::toolkit
