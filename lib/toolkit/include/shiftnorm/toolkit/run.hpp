#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/progress.hpp"
#include "shiftnorm/results/results.hpp"
#include "shiftnorm/toolkit/export.hpp"
#include "shiftnorm/toolkit/resume_store.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

struct RunOptions {
  std::filesystem::path folder;  ///< the run folder: what the resolved YAML's paths are written for
  int threads = 1;
  MemoryBudget memory;
  std::string command;                           ///< for the report; no paths
  bool show_domains = false;                     ///< names of domains that identify a site
  bool small_cohort = false;                     ///< export from however few patients
  std::string id;                                ///< run_key() of it, for results; empty: unknown
  std::function<void(const std::string&)> tell;  ///< what is to be known before the work; may be empty
  /// What runs after one another have in common.
  std::shared_ptr<SessionCache> cache = std::make_shared<SessionCache>();
  const ResumeStore* kept = nullptr;  ///< what an interrupted call computed, and this one computes
};

/// An adapted checkpoint and where it goes, relative to the run folder unless absolute.
struct NamedExport {
  std::filesystem::path path;
  Exported file;
};

/// What a run leaves behind; nothing has been written yet.
struct RunOutcome {
  results::RunResults results;
  std::vector<NamedExport> exported;  ///< one for each domain where there are domains
  /// Name and bytes of `stats/<name>.bnstats`, for every mode, and domain, that was measured.
  std::vector<std::pair<std::string, std::vector<std::byte>>> statistics;
  std::string domains_json;  ///< the index of what belongs to which domain; empty without domains
  std::string config_yaml;  ///< the resolved configuration, runnable from the run folder unless patients are identified
  /// Then the whole of it and the file that it belongs in, for its owner alone (mode 0600).
  std::optional<std::pair<std::filesystem::path, std::string>> kept_config;
  std::vector<std::string> notes;                   ///< warnings, one line each
  std::shared_ptr<const imaging::Dataset> dataset;  ///< the target
};

/// The whole experiment: restore, load, every mode on one engine and the same images, scores, export.
/// Errors  as open_session(), adapt::Engine::run and export_checkpoint(), each with the mode's name before it.
[[nodiscard]] RunOutcome run_experiment(const config::Config& config, const RunOptions& options,
                                        const Progress& progress);

/// What results say about model and data, without any mode: `evaluate` and `recalibrate` start from it too.
[[nodiscard]] results::RunResults describe(const Session& session);

[[nodiscard]] results::LabelCounts counts_of(const imaging::LabelCounts& counts);

/// Files that could not be read, and images that the network could not carry.
[[nodiscard]] std::vector<results::BadFile> bad_files(const Session& session, std::span<const adapt::LeftOut> left_out);

/// A line for each of the first few of them, and how many more there are.
[[nodiscard]] std::vector<std::string> notes_on_bad(std::span<const results::BadFile> bad);

/// The class names in the order of the outputs; `0`, `1`, ... where the data name none.
[[nodiscard]] std::vector<std::string> output_names(const Session& session);

/// Files that were looked at: usable, bad.
struct Seen {
  std::int64_t usable = 0, bad = 0;
};

/// `--max-bad N|P%`.
struct BadLimit {
  double value = 5;
  bool percent = true;
  /// One bad file alone is never too many.
  [[nodiscard]] bool exceeded(Seen seen) const;
};

}  // namespace shiftnorm::toolkit
