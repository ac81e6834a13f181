#include "run_sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "dry_run.hpp"
#include "job_options.hpp"
#include "run_folder.hpp"
#include "shiftnorm/container/csv.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/version.hpp"
#include "shiftnorm/report/report.hpp"
#include "shiftnorm/report/sweep_report.hpp"
#include "shiftnorm/toolkit/output_files.hpp"
#include "shiftnorm/toolkit/run_key.hpp"
#include "shiftnorm/toolkit/session_cache.hpp"
#include "unfinished_work.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;
using container::Json;
using results::ScoreRecord;

constexpr std::size_t kShortId = 12;  // of 64 digits: enough to tell 10 000 runs apart

enum class Status { waiting, finished, failed };
constexpr std::string_view kStatus[] = {"waiting", "finished", "failed"};

/// A run with its address.
struct Cell {
  const config::SweepRun* run = nullptr;
  std::string id, folder;  ///< the folder's name below the sweep's
  Status status = Status::waiting;
  report::SweepCell found;  ///< what the page says of it
  [[nodiscard]] const std::vector<ScoreRecord>& scores() const {
    static const std::vector<ScoreRecord> none;
    return found.record ? found.record->scores : none;
  }
};

class SweepJob {
 public:
  SweepJob(const config::Sweep& sweep, const RunPlace& place, toolkit::RunOptions job, Console& console)
      : sweep_(sweep), place_(place), job_(std::move(job)), console_(console) {}

  /// Addresses and validates every run before one is started.
  void prepare() {
    const Progress progress = console_.progress();
    for (const config::SweepRun& run : sweep_.runs) {
      progress.check();
      Cell cell;
      cell.run = &run;
      if (run.config.exported && run.config.exported->path.is_absolute())
        throw ConfigError(
            fmt::format("export.path = {}: every run of the sweep would write it; expected a relative one",
                        run.config.exported->path.filename().string()));
      try {
        cell.id = toolkit::run_key(run.config, job_);
      } catch (const Error&) {
        rethrow_at(values_of(run));
      }
      cell.folder = fmt::format("{}-{}", cell.id.substr(0, kShortId), run.readable);
      const auto same = std::ranges::find(cells_, cell.id, &Cell::id);
      if (same != cells_.end()) cell.folder = same->folder;
      cell.found.values = run.values;
      cell.found.folder = cell.folder;
      cells_.push_back(std::move(cell));
      progress.tell("check", static_cast<std::int64_t>(cells_.size()), static_cast<std::int64_t>(sweep_.runs.size()));
    }
    if (!place_.resume) return;
    for (Cell& cell : cells_)
      if (const auto found = finished_run(place_.folder / cell.folder, cell.id)) {
        cell.status = Status::finished;
        report::fill_cell(cell.found, found->results);
      }
  }

  [[nodiscard]] std::size_t count(Status status) const {
    return static_cast<std::size_t>(std::ranges::count(cells_, status, &Cell::status));
  }
  [[nodiscard]] std::size_t different() const {
    std::vector<std::string_view> ids;
    for (const Cell& cell : cells_) ids.push_back(cell.id);
    std::ranges::sort(ids);
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids.size();
  }

  ExitCode run(const toolkit::BadLimit& limit) {
    ExitCode worst = ExitCode::done;
    std::size_t number = 0;
    for (Cell* cell : by_data()) {
      ++number;
      if (cell->status == Status::finished) continue;
      const auto twin = std::ranges::find_if(
          cells_, [&](const Cell& other) { return other.id == cell->id && other.status == Status::finished; });
      if (twin != cells_.end()) {
        cell->status = Status::finished;
        const std::vector<std::string> values = std::move(cell->found.values);
        cell->found = twin->found;
        cell->found.values = values;
        continue;
      }
      console_.info(fmt::format("{}: run {} of {}: {}", sweep_.name, number, cells_.size(), values_of(*cell->run)));
      try {
        const ExitCode code = run(*cell, limit);
        if (worst == ExitCode::done) worst = code;
      } catch (const Interrupted&) {
        write_summary();
        console_.fail({ExitCode::interrupted,
                       fmt::format("interrupted; {} of {} runs are finished; the same command with --resume continues",
                                   count(Status::finished), cells_.size())});
        return ExitCode::interrupted;
      } catch (const MachineError&) {
        write_summary();
        throw;
      } catch (const Error&) {
        const Failure failure = failure_of(std::current_exception());
        cell->status = Status::failed;
        cell->found.reason = failure.text;
        console_.warn(fmt::format("{}: {}", values_of(*cell->run), failure.text));
        worst = failure.code;
      }
    }
    discard_unfinished_in(place_.folder);
    write_summary();
    return worst;
  }

  [[nodiscard]] std::string plan() const {
    std::string text;
    for (const Cell& cell : cells_)
      text += fmt::format("{} {:<8} {}\n", cell.id.substr(0, kShortId), kStatus[static_cast<std::size_t>(cell.status)],
                          values_of(*cell.run));
    return text;
  }

  /// Seconds of the runs that are not finished, from one of each network; runs on the same images may share work.
  [[nodiscard]] std::optional<double> seconds_left() {
    std::map<std::string, std::optional<double>> by_network;
    std::set<std::string> seen;
    double seconds = 0;
    for (const Cell& cell : cells_) {
      if (cell.status == Status::finished || !seen.insert(cell.id).second) continue;
      const config::ModelConfig& model = cell.run->config.model;
      const auto [at, fresh] = by_network.try_emplace(toolkit::network_key(model));
      if (fresh)
        if (const auto plan = plan_of(cell.run->config, job_, console_))
          at->second = plan->load_seconds + plan->network_seconds();
      if (!at->second) return std::nullopt;
      seconds += *at->second;
    }
    return seconds;
  }

  [[nodiscard]] Json summary() const {
    Json keys = Json::array(), runs = Json::array();
    for (const std::string& key : sweep_.keys) keys.push(key);
    for (const Cell& cell : cells_) {
      Json values = Json::object();
      for (std::size_t i = 0; i < sweep_.keys.size(); ++i) values.set(sweep_.keys[i], cell.run->values[i]);
      Json run = Json::object({{"id", cell.id},
                               {"folder", cell.folder},
                               {"values", std::move(values)},
                               {"status", std::string(kStatus[static_cast<std::size_t>(cell.status)])}});
      if (!cell.found.reason.empty()) run.set("reason", cell.found.reason);
      run.set("modes", modes_json(cell));
      if (const auto& told = cell.found.recommendation)
        run.set("recommendation",
                Json::object({{"mode", told->mode ? Json(*told->mode) : Json()}, {"confidence", told->confidence}}));
      runs.push(std::move(run));
    }
    return Json::object({{"schema", 1}, {"name", sweep_.name}, {"keys", std::move(keys)}, {"runs", std::move(runs)}});
  }

  /// One row per value of the sweep's keys, one column per mode: the first metric.
  [[nodiscard]] std::string table() const {
    std::vector<std::string> modes;
    std::string metric;
    for (const Cell& cell : cells_)
      for (const ScoreRecord& score : cell.scores()) {
        if (metric.empty()) metric = score.metric;
        if (std::ranges::find(modes, score.mode) == modes.end()) modes.push_back(score.mode);
      }
    if (modes.empty()) return {};
    std::size_t width = metric.size();
    for (const Cell& cell : cells_) width = std::max(width, values_of(*cell.run).size());
    std::string text = fmt::format("{:<{}}", metric, width);
    for (const std::string& mode : modes) text += fmt::format("  {:>8}", mode);
    text += "\n";
    for (const Cell& cell : cells_) {
      text += fmt::format("{:<{}}", values_of(*cell.run), width);
      for (const std::string& mode : modes) {
        const auto found = std::ranges::find_if(
            cell.scores(), [&](const ScoreRecord& s) { return s.mode == mode && s.metric == metric && s.value; });
        const std::size_t column = std::max<std::size_t>(8, mode.size());
        text += found == cell.scores().end() ? fmt::format("  {:>{}}", "-", column)
                                             : fmt::format("  {:>{}.4f}", *found->value, column);
      }
      text += "\n";
    }
    return text;
  }

 private:
  [[nodiscard]] std::string values_of(const config::SweepRun& run) const {
    std::string text;
    for (std::size_t i = 0; i < sweep_.keys.size(); ++i) {
      const std::string key = sweep_.keys[i].substr(sweep_.keys[i].rfind('.') + 1);
      text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", key, run.values[i]);
    }
    return text;
  }

  /// Runs on the same samples follow each other.
  [[nodiscard]] std::vector<Cell*> by_data() {
    std::map<std::string, std::size_t> first;
    std::vector<std::pair<std::size_t, Cell*>> order;
    for (Cell& cell : cells_)
      order.emplace_back(first.emplace(toolkit::data_key(cell.run->config), first.size()).first->second, &cell);
    std::ranges::stable_sort(order, {}, [](const auto& one) { return one.first; });
    std::vector<Cell*> cells;
    for (const auto& [place, cell] : order) cells.push_back(cell);
    return cells;
  }

  ExitCode run(Cell& cell, const toolkit::BadLimit& limit) {
    job_.id = cell.id;
    job_.folder = place_.folder / cell.folder;
    const Progress progress = console_.progress();
    progress.within("run", values_of(*cell.run));
    UnfinishedWork work(job_.folder, place_.resume);
    const toolkit::RunOutcome outcome = run_keeping(cell.run->config, job_, work, progress, console_);
    progress.within("run", "");
    const results::RunResults& results = outcome.results;
    for (const std::string& note : outcome.notes)
      if (told_.insert(note).second) console_.warn(note);
    warn_of_bad(console_, results.bad);
    fs::create_directories(place_.folder);
    write_run_folder(job_.folder, outcome, console_.log());
    work.discard();
    record_run(place_, results, job_.folder, sweep_.name);
    report::fill_cell(cell.found, results);
    cell.status = Status::finished;
    return judge_bad(console_, limit, results.images, static_cast<std::int64_t>(results.bad.size()));
  }

  [[nodiscard]] static Json number(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

  [[nodiscard]] static Json modes_json(const Cell& cell) {
    Json modes = Json::array();
    for (auto at = cell.scores().begin(); at != cell.scores().end();) {
      Json metrics = Json::object();
      const std::string& name = at->mode;
      for (; at != cell.scores().end() && at->mode == name; ++at)
        metrics.set(at->metric, Json::object({{"value", number(at->value)},
                                              {"low", number(at->low)},
                                              {"high", number(at->high)},
                                              {"difference", number(at->difference)},
                                              {"p", number(at->p)}}));
      modes.push(Json::object({{"name", name}, {"metrics", std::move(metrics)}}));
    }
    return modes;
  }

  [[nodiscard]] std::string csv() const {
    const auto cell_text = [](const std::optional<double>& value) {
      return value ? fmt::format("{}", *value) : std::string();
    };
    std::string text = "run,folder";
    for (const std::string& key : sweep_.keys) text += fmt::format(",{}", container::csv_field(key));
    text += ",mode,policy,metric,value,low,high,difference,difference_low,difference_high,test,p\n";
    for (const Cell& cell : cells_)
      for (const ScoreRecord& s : cell.scores()) {
        text += fmt::format("{},{}", cell.id.substr(0, kShortId), cell.folder);
        for (const std::string& value : cell.run->values) text += fmt::format(",{}", container::csv_field(value));
        text += fmt::format(",{},{},{},{},{},{},{},{},{},{},{}\n", container::csv_field(s.mode), s.policy, s.metric,
                            cell_text(s.value), cell_text(s.low), cell_text(s.high), cell_text(s.difference),
                            cell_text(s.difference_low), cell_text(s.difference_high), s.test, cell_text(s.p));
      }
    return text;
  }
  void write_page() const {
    report::SweepReport page;
    page.name = sweep_.name;
    page.program_version = version();
    page.keys = sweep_.keys;
    page.command = job_.command;
    for (const Cell& cell : cells_) page.cells.push_back(cell.found);
    fs::create_directories(place_.folder / "figures");
    for (const report::Picture& picture : report::sweep_pictures(page))
      write_file(place_.folder / "figures" / picture.name, picture.svg);
    write_file(place_.folder / "report.html", report::sweep_html(page));
  }

  void write_summary() const {
    fs::create_directories(place_.folder);
    write_page();
    write_file(place_.folder / "sweep.csv", csv());
    write_file(place_.folder / "run.log", console_.log());
    write_file(place_.folder / "sweep.json", container::write_json(summary(), 2) + "\n");
  }

  const config::Sweep& sweep_;
  const RunPlace& place_;
  toolkit::RunOptions job_;
  Console& console_;
  std::vector<Cell> cells_;
  std::set<std::string> told_;
};

}  // namespace

ExitCode run_sweep(const config::Sweep& sweep, const RunPlace& place, toolkit::RunOptions job,
                   const toolkit::BadLimit& limit, bool dry, Console& console) {
  RunPlace looked_at = place;
  looked_at.resume = place.resume || dry;
  SweepJob work(sweep, looked_at, std::move(job), console);
  work.prepare();
  const std::string counts = fmt::format("{} runs, {} different ones, {} finished", sweep.runs.size(), work.different(),
                                         work.count(Status::finished));
  if (dry) {
    const std::optional<double> seconds = work.seconds_left();
    if (console.json()) {
      Json summary = work.summary();
      summary.set("seconds_left", seconds ? Json(*seconds) : Json());
      console.print(summary);
    }
    console.say(
        fmt::format("{}{}: {}{}\n", work.plan(), sweep.name, counts,
                    seconds ? fmt::format("; about {} to go, from a probe of each network, without scores and reports",
                                          toolkit::in_time(*seconds))
                            : ""));
    return ExitCode::done;
  }
  toolkit::check_folder_can_be_made(place.folder);
  console.info(fmt::format("{}: {}", sweep.name, counts));
  const ExitCode code = work.run(limit);
  if (code == ExitCode::interrupted) return code;
  console.say(work.table());
  console.say(fmt::format("results are in {}\n", place.folder.string()));
  if (console.json()) console.print(work.summary());
  return code;
}

}  // namespace shiftnorm::app
