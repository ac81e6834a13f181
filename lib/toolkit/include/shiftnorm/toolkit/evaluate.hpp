#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/results/results.hpp"
#include "shiftnorm/stats/statistics_file.hpp"
#include "shiftnorm/toolkit/events.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

/// One mode on one data set. The first four are what every call gives, as in RecalibrateOptions.
struct EvaluateOptions {
  std::filesystem::path checkpoint = {};
  std::string architecture = {};
  std::filesystem::path data = {};
  std::string preprocess = {};
  adapt::Mode mode = {.name = "source", .policy = adapt::Policy::source};
  /// Used in place of measuring; they say how they were measured, with which weights and which preprocessing.
  std::optional<stats::StatisticsFile> statistics = {};
  std::optional<config::DomainConfig> domain = {};
  std::uint64_t seed = 0;  ///< of the intervals' resamples
  SessionOptions session = {};
  Events events = {};
};

struct Evaluated {
  Session session;
  adapt::Mode mode;                ///< as used: with statistics, as they were measured
  results::RunResults results;     ///< of one mode; scored by patient wherever patients are known
  adapt::Outputs outputs;          ///< before any activation of ours
  std::vector<std::string> notes;  ///< what the user should know of the evaluation, one line each

  /// Every output of the network, one row per image, as the bytes of a safetensors file; `__metadata__.ids` gives the
  /// order.
  [[nodiscard]] std::vector<std::byte> outputs_file() const;
};

/// Scores where there are labels, confidence and entropy without.
/// Errors  ConfigError for statistics of another network, weights or preprocessing; UnsupportedError where
///         session.all_outputs asks for outputs that no file could name; as open_session() and adapt::Engine::run().
[[nodiscard]] Evaluated evaluate(const EvaluateOptions& options);

}  // namespace shiftnorm::toolkit

namespace shiftnorm {
using toolkit::evaluate;
}
