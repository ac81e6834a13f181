#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "shiftnorm/toolkit/events.hpp"
#include "shiftnorm/toolkit/made_folder.hpp"
#include "shiftnorm/toolkit/resume_store.hpp"
#include "shiftnorm/toolkit/run.hpp"

namespace shiftnorm::toolkit {

/// What a run has computed so far, in a hidden folder `.NAME.unfinished` beside its run folder: the run folder itself
/// appears whole. Not copied: the callbacks refer to it.
class UnfinishedWork {
 public:
  /// resume: what an earlier call left there is found; otherwise it is taken away.
  UnfinishedWork(const std::filesystem::path& run_folder, bool resume);
  UnfinishedWork(const UnfinishedWork&) = delete;
  UnfinishedWork& operator=(const UnfinishedWork&) = delete;

  [[nodiscard]] const ResumeStore& kept() const { return kept_; }
  [[nodiscard]] bool any() const;                             ///< something is there to go on from
  [[nodiscard]] std::size_t found() const { return found_; }  ///< pieces that did not have to be computed
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  /// Takes it away, with parent folders that were made for it and hold nothing else.
  void discard() { folder_.remove(); }

 private:
  MadeFolder folder_;
  std::size_t found_ = 0;
  ResumeStore kept_;
};

/// What target labels show, in words; an empty one: it is left out of the results.
using Judging = std::function<results::Verdict(const results::RunResults&)>;

/// run_experiment() with what is kept of it; `tell` and `kept` of the options are set here. Interrupted or stopped by
/// the machine, it leaves that for a later call that resumes; for any other error nothing, since what mends it makes
/// another run.
[[nodiscard]] RunOutcome run_keeping(const config::Config& config, RunOptions options, UnfinishedWork& work,
                                     const Judging& verdict, const Events& events);

/// Takes away what is left of runs whose folders would be in `parent`, also under other configurations.
void discard_unfinished_in(const std::filesystem::path& parent);

}  // namespace shiftnorm::toolkit
