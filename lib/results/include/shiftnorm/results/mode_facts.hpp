#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace shiftnorm::results {

/// Which BatchNorm layers took part, as the user restricted them.
struct LayerFacts {
  std::vector<std::string> include, exclude;  ///< patterns
  std::optional<std::int64_t> first, last, min_level, max_level;

  [[nodiscard]] bool restricted() const { return *this != LayerFacts{}; }
  friend bool operator==(const LayerFacts&, const LayerFacts&) = default;
};

/// How a mode treated BatchNorm, in the words of results.json: a file may come from a program that knows other
/// policies than this one.
struct ModeFacts {
  std::string name, policy = "source";
  std::string semantics, estimator;      ///< empty: nothing was measured
  bool exportable = true;                ///< a file can hold what it makes
  std::optional<std::int64_t> batch;     ///< absent: it took no batches
  std::optional<std::uint64_t> shuffle;  ///< with batches; absent: in order of arrival
  std::optional<double> momentum, source_weight, prior_images;
  std::string shares;  ///< of policy matched: "estimate", "labels" or "given"; else empty
  std::vector<std::pair<std::string, double>> given_shares;  ///< where they are given
  bool prior_correction = false;
  LayerFacts layers;

  [[nodiscard]] bool measured() const { return !semantics.empty(); }
  [[nodiscard]] bool is_source() const { return policy == "source"; }
  friend bool operator==(const ModeFacts&, const ModeFacts&) = default;
};

}  // namespace shiftnorm::results
