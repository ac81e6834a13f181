#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/results/results.hpp"
#include "shiftnorm/stats/reference.hpp"
#include "shiftnorm/toolkit/events.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

/// A sample of the training images. The first four are what every call gives, as in RecalibrateOptions.
struct ReferenceOptions {
  std::filesystem::path checkpoint = {};
  std::string architecture = {};
  std::filesystem::path data = {};
  std::string preprocess = {};
  bool by_outputs = false;  ///< images count by the network's own probabilities, labels or not
  SessionOptions session = {};
  bool small_cohort = false;  ///< from fewer than kSmallestCohort patients, in all or of a class
  Events events = {};
};

struct MadeReference {
  Session session;
  stats::Reference reference;
  std::vector<results::BadFile> bad;
  std::vector<std::string> notes;  ///< what the user should know, one line each
};

/// The moments of every BatchNorm's input by class, in the untouched network (docs/reference/estimators.md#matched).
/// Errors  ConfigError for a network that does not tell classes, and for too small a cohort; as open_session().
[[nodiscard]] MadeReference make_reference(const ReferenceOptions& options);

/// A reference, the hash of its content, and what messages call it.
struct LoadedReference {
  stats::Reference reference;
  std::string sha256, name;
};
/// Errors  FormatError with the file's name.
[[nodiscard]] LoadedReference load_reference(const std::filesystem::path& path);
[[nodiscard]] LoadedReference loaded(stats::Reference reference, std::string name);

/// One reference out of those of several sites. Errors  as load_reference() and stats::merged().
[[nodiscard]] stats::Reference merge_references(std::span<const std::filesystem::path> parts);

/// Few images of a class say little of it.
inline constexpr double kFewOfClass = 20;
/// For people: classes of which there are fewer, and which patients are few.
[[nodiscard]] std::vector<std::string> notes_on_reference(const stats::Reference& reference);

}  // namespace shiftnorm::toolkit
