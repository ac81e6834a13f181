#pragma once

#include <filesystem>
#include <vector>

#include "console.hpp"
#include "shiftnorm/core/progress.hpp"
#include "shiftnorm/toolkit/resume_store.hpp"
#include "shiftnorm/toolkit/run.hpp"

namespace shiftnorm::app {

/// What a run has computed so far, in a hidden folder `.NAME.unfinished` beside its run folder: the run folder itself
/// appears whole. Not copied: the callbacks refer to it.
class UnfinishedWork {
 public:
  /// resume: what an earlier call left there is found; otherwise it is taken away.
  UnfinishedWork(const std::filesystem::path& run_folder, bool resume);
  UnfinishedWork(const UnfinishedWork&) = delete;
  UnfinishedWork& operator=(const UnfinishedWork&) = delete;

  [[nodiscard]] const toolkit::ResumeStore& kept() const { return kept_; }
  [[nodiscard]] bool any() const;                             ///< something is there to go on from
  [[nodiscard]] std::size_t found() const { return found_; }  ///< pieces that did not have to be computed
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  /// Takes it away, with parent folders that were made for it and hold nothing else.
  void discard();

 private:
  void make();

  std::filesystem::path folder_;
  std::vector<std::filesystem::path> parents_;  ///< made here, innermost first
  std::size_t found_ = 0;
  toolkit::ResumeStore kept_;
};

/// The run, with what is kept of it. Interrupted or stopped by the machine, it leaves that for --resume; for any other
/// error nothing, since what mends it makes another run.
[[nodiscard]] toolkit::RunOutcome run_keeping(const config::Config& config, toolkit::RunOptions job,
                                              UnfinishedWork& work, const Progress& progress, Console& console);

/// Takes away what is left of runs whose folders would be in `parent`, also under other configurations.
void discard_unfinished_in(const std::filesystem::path& parent);

}  // namespace shiftnorm::app
