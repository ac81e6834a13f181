#pragma once

#include <vector>

#include "shiftnorm/adapt/mode.hpp"

namespace shiftnorm::test {

/// One field changed, in a mode for which it has a meaning.
struct ModeChange {
  const char* field;
  adapt::Mode from;
  void (*change)(adapt::Mode&);
};

inline adapt::Mode batched() { return {.semantics = adapt::Semantics::batch, .estimator = adapt::Estimator::ema}; }

/// Every field but the name, each once.
inline const std::vector<ModeChange>& mode_changes() {
  using adapt::Estimator, adapt::Mode, adapt::Policy, adapt::Semantics;
  static const std::vector<ModeChange> all{
      {"policy", {}, [](Mode& m) { m.policy = Policy::mean_only; }},
      {"semantics", {}, [](Mode& m) { m.semantics = Semantics::source; }},
      {"estimator", batched(), [](Mode& m) { m.estimator = Estimator::ema_reset; }},
      {"batch", batched(), [](Mode& m) { m.batch = 8; }},
      {"momentum", batched(), [](Mode& m) { m.momentum = 0.1; }},
      {"shuffle", batched(), [](Mode& m) { m.shuffle = 0; }},
      {"source_weight",
       {.policy = Policy::blend, .source_weight = 0.5},
       [](Mode& m) { m.source_weight = 0.5000000000000001; }},
      {"prior_images", {.policy = Policy::blend, .prior_images = 16}, [](Mode& m) { m.prior_images = 17; }},
      {"shares",
       {.policy = Policy::matched, .shares = {adapt::SharesFrom::given, {{"a", 0.25}, {"b", 0.75}}}},
       [](Mode& m) { m.shares.given.back().second = 0.7500000000000001; }},
      {"prior_correction", {.policy = Policy::matched}, [](Mode& m) { m.prior_correction = true; }},
      {"layers.include", {}, [](Mode& m) { m.layers.include = {"*"}; }},
      {"layers.exclude", {}, [](Mode& m) { m.layers.exclude = {"*"}; }},
      {"layers.first", {}, [](Mode& m) { m.layers.first = 1; }},
      {"layers.last", {}, [](Mode& m) { m.layers.last = 1; }},
      {"layers.min_level", {}, [](Mode& m) { m.layers.min_level = 1; }},
      {"layers.max_level", {}, [](Mode& m) { m.layers.max_level = 1; }},
  };
  return all;
}

}  // namespace shiftnorm::test
