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
#include "shiftnorm/toolkit/made_folder.hpp"
#include "shiftnorm/toolkit/output_files.hpp"

namespace shiftnorm::toolkit {
namespace {

namespace fs = std::filesystem;

void write_statistics(const fs::path& folder, const RunOutcome& outcome) {
  if (outcome.statistics.empty()) return;
  fs::create_directories(folder);
  for (const auto& [name, bytes] : outcome.statistics) write_file(folder / (name + ".bnstats"), bytes);
}

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
  const fs::path target = named_folder(path_);
  MadeFolder staged(hidden_beside(path_, fmt::format(".{}.partial", ::getpid())));
  try {
    staged.make();
    write_all(staged.path(), outcome, pages, log);
    std::error_code error;
    fs::rename(staged.path(), target, error);
    if (error)
      throw MachineError(
          fmt::format("{}: cannot be moved into place: {}", target.filename().string(), error.message()));
  } catch (...) {
    staged.remove();
    throw;
  }
}

}  // namespace shiftnorm::toolkit
