#include "shiftnorm/toolkit/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "run_pages.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/core/version.hpp"
#include "shiftnorm/toolkit/output_files.hpp"
#include "shiftnorm/toolkit/plan.hpp"
#include "shiftnorm/toolkit/run_key.hpp"

namespace shiftnorm::toolkit {
namespace {

namespace fs = std::filesystem;
using results::RunStatus, results::SweepCell;

constexpr std::size_t kLongestReason = 2000;  // bytes

class SweepJob {
 public:
  /// Addresses and checks every run. resume: finds those that are finished.
  SweepJob(const config::Sweep& sweep, const SweepOptions& options, bool resume)
      : sweep_(sweep), options_(options), job_(options.job) {
    results_.name = sweep.name;
    results_.program_version = version();
    results_.keys = sweep.keys;
    results_.command = job_.command;
    const Progress& progress = options.events.progress;
    for (const config::SweepRun& run : sweep.runs) {
      progress.check();
      results_.cells.push_back(addressed(run));
      progress.tell("check", static_cast<std::int64_t>(results_.cells.size()),
                    static_cast<std::int64_t>(sweep.runs.size()));
    }
    if (!resume) return;
    for (SweepCell& cell : results_.cells)
      if (const auto found = RunFolder(options.place.folder / cell.folder).finished(cell.id))
        results::fill_cell(cell, found->results);
  }

  [[nodiscard]] const results::SweepResults& results() const { return results_; }

  SweepOutcome run() {
    SweepOutcome outcome;
    std::size_t number = 0;
    for (const std::size_t i : by_data()) {
      ++number;
      SweepCell& cell = results_.cells[i];
      if (cell.status == RunStatus::finished || taken_from_twin(cell)) continue;
      options_.events.tell(
          fmt::format("{}: run {} of {}: {}", sweep_.name, number, results_.cells.size(), values_text(results_, cell)));
      try {
        compute(sweep_.runs[i].config, cell);
      } catch (const Interrupted&) {
        write_summary();
        outcome.interrupted = true;
        outcome.results = results_;
        return outcome;
      } catch (const MachineError&) {
        write_summary();
        throw;
      } catch (const Error& e) {
        cell.status = RunStatus::failed;
        cell.reason = printable(e.what(), kLongestReason);
        options_.events.warn(fmt::format("{}: {}", values_text(results_, cell), cell.reason));
        outcome.failure = std::current_exception();
      }
    }
    discard_unfinished_in(options_.place.folder);
    write_summary();
    outcome.results = results_;
    return outcome;
  }

  /// Of the runs that are not finished.
  [[nodiscard]] std::optional<double> seconds_left() const {
    std::map<std::string, std::optional<double>> by_network;
    std::set<std::string> seen;
    double seconds = 0;
    for (std::size_t i = 0; i < results_.cells.size(); ++i) {
      const SweepCell& cell = results_.cells[i];
      if (cell.status == RunStatus::finished || !seen.insert(cell.id).second) continue;
      const config::Config& config = sweep_.runs[i].config;
      const auto [at, fresh] = by_network.try_emplace(network_key(config.model));
      if (fresh)
        if (const auto plan = plan_if_there(config, job_, options_.events))
          at->second = plan->load_seconds + plan->network_seconds();
      if (!at->second) return std::nullopt;
      seconds += *at->second;
    }
    return seconds;
  }

 private:
  [[nodiscard]] SweepCell addressed(const config::SweepRun& run) const {
    if (run.config.exported && run.config.exported->path.is_absolute())
      throw ConfigError(fmt::format("export.path = {}: every run of the sweep would write it; expected a relative one",
                                    run.config.exported->path.filename().string()));
    SweepCell cell;
    cell.values = run.values;
    try {
      cell.id = run_key(run.config, job_);
    } catch (const Error&) {
      rethrow_at(values_text(results_, cell));
    }
    const auto same = std::ranges::find(results_.cells, cell.id, &SweepCell::id);
    cell.folder =
        same != results_.cells.end() ? same->folder : fmt::format("{}-{}", results::short_id(cell.id), run.readable);
    return cell;
  }

  /// Indices of cells: runs on the same samples follow each other.
  [[nodiscard]] std::vector<std::size_t> by_data() const {
    std::map<std::string, std::size_t> first;
    std::vector<std::size_t> place, order;
    for (std::size_t i = 0; i < sweep_.runs.size(); ++i) {
      place.push_back(first.emplace(data_key(sweep_.runs[i].config), first.size()).first->second);
      order.push_back(i);
    }
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return place[i]; });
    return order;
  }

  /// A run with the same inputs that is finished is this one too.
  [[nodiscard]] bool taken_from_twin(SweepCell& cell) const {
    const auto twin = std::ranges::find_if(results_.cells, [&](const SweepCell& other) {
      return other.id == cell.id && other.status == RunStatus::finished;
    });
    if (twin == results_.cells.end()) return false;
    std::vector<std::string> values = std::move(cell.values);
    cell = *twin;
    cell.values = std::move(values);
    return true;
  }

  void compute(const config::Config& config, SweepCell& cell) {
    const RunFolder folder(options_.place.folder / cell.folder);
    job_.id = cell.id;
    job_.folder = folder.path();
    const Progress& progress = options_.events.progress;
    progress.within("run", values_text(results_, cell));
    UnfinishedWork work(folder.path(), options_.place.resume);
    const RunOutcome outcome = run_keeping(config, job_, work, options_.verdict, options_.events);
    progress.within("run", "");
    for (const std::string& note : outcome.notes)
      if (told_.insert(note).second) options_.events.warn(note);
    for (const std::string& note : notes_on_bad(outcome.results.bad)) options_.events.warn(note);
    fs::create_directories(options_.place.folder);
    folder.write(outcome, options_.pages ? options_.pages(outcome.results) : std::vector<Page>{}, log());
    work.discard();
    record_run(options_.place, outcome.results, folder.path(), sweep_.name);
    results::fill_cell(cell, outcome.results);
    if (options_.finished) options_.finished(outcome.results);
  }

  [[nodiscard]] std::string log() const { return options_.log ? options_.log() : std::string(); }

  void write_summary() const {
    const fs::path& folder = options_.place.folder;
    fs::create_directories(folder);
    if (options_.sweep_pages) write_pages(folder, options_.sweep_pages(results_));
    write_file(folder / "sweep.csv", results::sweep_csv(results_));
    write_file(folder / "run.log", log());
    write_file(folder / "sweep.json", container::write_json(results::sweep_json(results_), 2) + "\n");
  }

  const config::Sweep& sweep_;
  const SweepOptions& options_;
  RunOptions job_;
  results::SweepResults results_;
  std::set<std::string> told_;
};

}  // namespace

SweepOutcome run_sweep(const config::Sweep& sweep, const SweepOptions& options) {
  SweepJob work(sweep, options, options.place.resume);
  check_folder_can_be_made(options.place.folder);
  options.events.tell(fmt::format("{}: {}", sweep.name, counts_text(work.results())));
  return work.run();
}

SweepPlan plan_sweep(const config::Sweep& sweep, const SweepOptions& options) {
  const SweepJob work(sweep, options, true);
  return {work.results(), work.seconds_left()};
}

std::string counts_text(const results::SweepResults& sweep) {
  return fmt::format("{} runs, {} different ones, {} finished", sweep.cells.size(), sweep.different(),
                     sweep.count(RunStatus::finished));
}

}  // namespace shiftnorm::toolkit
