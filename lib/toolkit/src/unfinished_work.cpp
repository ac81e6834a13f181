#include "shiftnorm/toolkit/unfinished_work.hpp"

#include <fmt/format.h>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"

namespace shiftnorm::toolkit {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".unfinished";

}  // namespace

UnfinishedWork::UnfinishedWork(const fs::path& run_folder, bool resume) : folder_(hidden_beside(run_folder, kEnding)) {
  if (!resume) discard();
  kept_.find = [this](const std::string& name) -> std::optional<std::vector<std::byte>> {
    const fs::path file = folder_.path() / name;
    if (!fs::is_regular_file(file)) return std::nullopt;
    ++found_;
    return read_file(file);
  };
  kept_.keep = [this](const std::string& name, std::span<const std::byte> bytes) {
    folder_.make();
    write_file(folder_.path() / name, bytes);
  };
}

bool UnfinishedWork::any() const {
  std::error_code error;
  return fs::is_directory(folder(), error) && !fs::is_empty(folder(), error);
}

RunOutcome run_keeping(const config::Config& config, RunOptions options, UnfinishedWork& work, const Judging& verdict,
                       const Events& events) {
  options.kept = &work.kept();
  options.tell = events.info;
  try {
    RunOutcome outcome = run_experiment(config, options, events.progress);
    if (verdict) outcome.results.verdict = verdict(outcome.results);
    if (work.found() > 0)
      events.tell(fmt::format("{}: {} measurements and evaluations were done already", config.name, work.found()));
    return outcome;
  } catch (const Interrupted&) {
    throw;
  } catch (const MachineError&) {
    if (work.any())
      events.warn(fmt::format("{}: keeps what was computed; the same command with --resume continues from there",
                              work.folder().filename().string()));
    throw;
  } catch (const Error&) {
    work.discard();
    throw;
  }
}

void discard_unfinished_in(const fs::path& parent) {
  std::error_code ignored;
  std::vector<fs::path> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') && name.ends_with(kEnding) && entry.is_directory(ignored)) found.push_back(entry.path());
  }
  for (const fs::path& folder : found) fs::remove_all(folder, ignored);
}

}  // namespace shiftnorm::toolkit
