#include "run_sweep.hpp"

#include <fmt/format.h>

#include "resource_options.hpp"
#include "run_pages.hpp"
#include "shiftnorm/report/console_tables.hpp"
#include "shiftnorm/report/report.hpp"
#include "shiftnorm/toolkit/plan.hpp"
#include "shiftnorm/toolkit/sweep.hpp"

namespace shiftnorm::app {
namespace {

using container::Json;
using results::SweepCell, results::SweepResults;

/// What would be done: a line for each run.
ExitCode tell_plan(const config::Sweep& sweep, const toolkit::SweepOptions& options, Console& console) {
  const toolkit::SweepPlan plan = toolkit::plan_sweep(sweep, options);
  if (console.json()) {
    Json summary = results::sweep_json(plan.results);
    summary.set("seconds_left", container::value_or_null(plan.seconds));
    console.print(summary);
  }
  for (const SweepCell& cell : plan.results.cells)
    console.say(fmt::format("{} {:<8} {}\n", results::short_id(cell.id), results::kRunStatus.name_of(cell.status),
                            results::values_text(plan.results, cell)));
  console.say(fmt::format("{}: {}{}\n", sweep.name, toolkit::counts_text(plan.results),
                          plan.seconds ? fmt::format("; about {} to go, from a probe of each network, without scores "
                                                     "and reports",
                                                     toolkit::in_time(*plan.seconds))
                                       : ""));
  return ExitCode::done;
}

}  // namespace

ExitCode run_sweep(const config::Sweep& sweep, const toolkit::RunPlace& place, const toolkit::RunOptions& job,
                   const toolkit::BadLimit& limit, bool dry, Console& console) {
  ExitCode bad_files = ExitCode::done;
  toolkit::SweepOptions options{place, job};
  options.verdict = report::verdict;
  options.pages = [](const results::RunResults& results) { return pages_of(results); };
  options.sweep_pages = [](const SweepResults& results) { return pages_of(results); };
  options.log = [&] { return console.log(); };
  options.finished = [&](const results::RunResults& results) {
    const auto bad = static_cast<std::int64_t>(results.bad.size());
    if (judge_bad(console, limit, results.images, bad) != ExitCode::done) bad_files = ExitCode::too_many_bad;
  };
  options.events = console.messages();
  if (dry) return tell_plan(sweep, options, console);
  const toolkit::SweepOutcome outcome = toolkit::run_sweep(sweep, options);
  const SweepResults& results = outcome.results;
  if (outcome.interrupted) {
    console.fail({ExitCode::interrupted,
                  fmt::format("interrupted; {} of {} runs are finished; the same command with --resume continues",
                              results.count(results::RunStatus::finished), results.cells.size())});
    return ExitCode::interrupted;
  }
  console.say(report::table_of(results));
  console.say(fmt::format("results are in {}\n", place.folder.string()));
  if (console.json()) console.print(results::sweep_json(results));
  return outcome.failure ? failure_of(outcome.failure).code : bad_files;
}

}  // namespace shiftnorm::app
