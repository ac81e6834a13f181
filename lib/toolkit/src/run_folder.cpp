#include "shiftnorm/toolkit/run_folder.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "run_pages.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/results/results_json.hpp"
#include "shiftnorm/results/tables.hpp"
#include "shiftnorm/toolkit/output_files.hpp"

namespace shiftnorm::toolkit {
namespace {

namespace fs = std::filesystem;

void write_statistics(const fs::path& folder, const RunOutcome& outcome) {
  if (outcome.statistics.empty()) return;
  fs::create_directories(folder);
  for (const auto& [name, bytes] : outcome.statistics) write_file(folder / (name + ".bnstats"), bytes);
}

/// Makes a folder with its missing parents and takes away what it made unless the work was completed.
class MadeFolders {
 public:
  explicit MadeFolders(fs::path folder) : folder_(std::move(folder)) {
    for (fs::path p = folder_.parent_path(); !fs::exists(p); p = p.parent_path()) parents_.push_back(p);
    std::error_code error;
    fs::create_directories(folder_, error);
    if (error) throw MachineError(fmt::format("{}: cannot be made: {}", folder_.filename().string(), error.message()));
  }
  ~MadeFolders() {
    if (kept_) return;
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
    for (const fs::path& parent : parents_) fs::remove(parent, ignored);  // only while empty: another run may use it
  }
  MadeFolders(const MadeFolders&) = delete;
  MadeFolders& operator=(const MadeFolders&) = delete;
  void keep() { kept_ = true; }

 private:
  fs::path folder_;
  std::vector<fs::path> parents_;  ///< innermost first
  bool kept_ = false;
};

void write_all(const fs::path& folder, const RunOutcome& outcome, std::span<const Page> pages, const std::string& log) {
  const results::RunResults& results = outcome.results;
  OutputFiles adapted;
  for (const NamedExport& exported : outcome.exported) {
    fs::create_directories((folder / exported.path).parent_path());
    adapted.set_exported(folder / exported.path, exported.file);
  }
  adapted.write();
  write_statistics(folder / "stats", outcome);
  if (!outcome.domains_json.empty()) write_file(folder / "domains.json", outcome.domains_json);
  write_file(folder / "config.yaml", outcome.config_yaml);
  write_file(folder / "predictions.csv", results::predictions_csv(results));
  write_pages(folder, pages);
  write_file(folder / "quarantine.csv", results::quarantine_csv(results.bad));
  write_file(folder / "run.log", log);
  write_file(folder / "results.json", results::results_json(results));
}

}  // namespace

void write_pages(const fs::path& folder, std::span<const Page> pages) {
  for (const Page& page : pages) {
    fs::create_directories((folder / page.path).parent_path());
    if (page.path.has_filename()) write_file(folder / page.path, page.text);
  }
}

std::vector<std::string> files_of_run(const config::Config& config) {
  std::vector<std::string> files{"config.yaml", "results.json",   "predictions.csv", "report.html",
                                 "figures/",    "quarantine.csv", "run.log"};
  const bool measured =
      std::ranges::any_of(config.modes, [](const adapt::Mode& mode) { return adapt::measures(mode.policy); });
  if (measured) files.emplace_back("stats/");
  if (config.target.domain) files.emplace_back("domains.json");
  if (config.exported) files.push_back(config.exported->path.string());
  return files;
}

void RunFolder::write(const RunOutcome& outcome, std::span<const Page> pages, const std::string& log) const {
  if (outcome.kept_config) {
    const auto& [file, yaml] = *outcome.kept_config;
    fs::create_directories(file.parent_path());
    write_private_file(file, as_bytes(yaml));
  }
  if (fs::exists(path_)) {
    write_all(path_, outcome, pages, log);
    return;
  }
  const fs::path clean = fs::absolute(path_).lexically_normal();
  const fs::path target = clean.has_filename() ? clean : clean.parent_path();
  const fs::path staged = target.parent_path() / fmt::format(".{}.{}.partial", target.filename().string(), ::getpid());
  MadeFolders made(staged);
  write_all(staged, outcome, pages, log);
  std::error_code error;
  fs::rename(staged, target, error);
  if (error)
    throw MachineError(fmt::format("{}: cannot be moved into place: {}", target.filename().string(), error.message()));
  made.keep();
}

}  // namespace shiftnorm::toolkit
