#include "shiftnorm/toolkit/sweep.hpp"

#include <atomic>
#include <catch2/catch.hpp>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/results/results_store.hpp"
#include "support/shared_data.hpp"
#include "support_network.hpp"

using namespace shiftnorm;
using namespace shiftnorm::toolkit;
using results::RunStatus;
namespace fs = std::filesystem;

namespace {

/// A sweep over data: `paths` is a YAML list of files beside it.
config::Sweep over_data(const fs::path& dir, const std::string& paths) {
  return config::parse_sweep(
      "name: s\nmodel: {checkpoint: net.safetensors, architecture: cifar_resnet20}\npreprocess: cifar10\n"
      "data: {target: {path: images.npy}}\nmodes: [source, adabn]\nsweep: {data.target.path: " +
          paths + "}\n",
      "s.yaml", {dir, {}});
}

/// A folder of six grey pictures, 32 x 32, as PGM.
void put_pictures(const fs::path& folder) {
  fs::create_directories(folder);
  for (int picture = 0; picture < 6; ++picture) {
    std::string file = "P5\n32 32\n255\n";
    for (int i = 0; i < 32 * 32; ++i) file += static_cast<char>((i * (picture + 3) + 40 * picture) % 251);
    write_file(folder / (std::to_string(picture) + ".pgm"), file);
  }
}

/// What a sweep told and asked for.
struct Told {
  std::vector<std::string> lines, warnings;
  std::size_t finished = 0, run_pages = 0;
  std::vector<std::size_t> sweep_pages;  ///< finished runs, each time
};

SweepOptions options_for(const fs::path& dir, Told& told) {
  SweepOptions options;
  options.place.folder = dir / "out";
  options.place.store = dir / "runs.sqlite";
  options.pages = [&](const results::RunResults& run) {
    ++told.run_pages;
    return std::vector<Page>{{"report.html", run.name}};
  };
  options.sweep_pages = [&](const results::SweepResults& sweep) {
    told.sweep_pages.push_back(sweep.count(RunStatus::finished));
    return std::vector<Page>{{"figures/map.svg", sweep.name}};
  };
  options.log = [] { return std::string("log"); };
  options.finished = [&](const results::RunResults&) { ++told.finished; };
  options.events.info = [&](const std::string& line) { told.lines.push_back(line); };
  options.events.warning = [&](const std::string& line) { told.warnings.push_back(line); };
  return options;
}

std::vector<double> values_of(const std::vector<results::ScoreRecord>& scores) {
  std::vector<double> values;
  values.reserve(scores.size());
  for (const results::ScoreRecord& score : scores) values.push_back(score.value.value_or(-1));
  return values;
}

std::string file_text(const fs::path& file) { return std::string(as_text(read_file(file))); }

}  // namespace

// Oracle: the same run by itself has the same scores; the same pictures in another folder are the same run; of a file
// that is no image nothing can be measured, which does not end the others.
TEST_CASE("a sweep computes equal runs once and goes on after a bad one", "[toolkit]") {
  const test::TempDir dir;
  test::write_random_network(dir.path() / "net.safetensors", "cifar_resnet20");
  put_pictures(dir.path() / "one");
  put_pictures(dir.path() / "two");
  fs::create_directory(dir.path() / "broken");
  write_file(dir.path() / "broken/a.png", std::string_view("no picture"));
  const config::Sweep sweep = over_data(dir.path(), "[one, two, broken]");
  Told told;
  SweepOptions options = options_for(dir.path(), told);

  const SweepPlan plan = plan_sweep(sweep, options);
  CHECK(counts_text(plan.results) == "3 runs, 2 different ones, 0 finished");
  CHECK_FALSE(fs::exists(options.place.folder));
  told = {};

  const SweepOutcome outcome = run_sweep(sweep, options);
  const std::vector<results::SweepCell>& cells = outcome.results.cells;
  REQUIRE(cells.size() == 3);
  CHECK(cells[0].id == cells[1].id);
  CHECK(cells[0].folder == cells[1].folder);
  CHECK(cells[0].folder.starts_with(results::short_id(cells[0].id) + "-"));
  CHECK(cells[1].values == std::vector<std::string>{"two"});
  CHECK(cells[0].status == RunStatus::finished);
  CHECK(cells[1].status == RunStatus::finished);
  CHECK(cells[2].status == RunStatus::failed);
  CHECK_FALSE(outcome.interrupted);
  REQUIRE(outcome.failure);
  try {
    std::rethrow_exception(outcome.failure);
  } catch (const Error& e) {
    CHECK(cells[2].reason == e.what());
    CHECK(told.warnings.back() == "path = broken: " + cells[2].reason);
  }
  CHECK(told.finished == 1);
  CHECK(told.run_pages == 1);
  CHECK(told.sweep_pages == std::vector<std::size_t>{2});
  CHECK(told.lines.front() == "s: 3 runs, 2 different ones, 0 finished");

  const RunOutcome alone = run_experiment(sweep.runs[0].config, {}, {});
  const std::vector<double> expected = values_of(results::record_of(alone.results).scores);
  REQUIRE_FALSE(expected.empty());
  CHECK(values_of(cells[0].record->scores) == expected);
  CHECK(values_of(cells[1].record->scores) == expected);

  const fs::path folder = options.place.folder;
  CHECK(file_text(folder / "sweep.json") == container::write_json(results::sweep_json(outcome.results), 2) + "\n");
  CHECK(file_text(folder / "sweep.csv") == results::sweep_csv(outcome.results));
  CHECK(file_text(folder / "run.log") == "log");
  CHECK(file_text(folder / "figures/map.svg") == "s");
  CHECK(fs::exists(folder / cells[0].folder / "results.json"));
  CHECK(file_text(folder / cells[0].folder / "report.html") == sweep.runs[0].config.name);
  CHECK_FALSE(fs::exists(folder / cells[2].folder));
  CHECK(results::ResultsStore(options.place.store, results::ResultsStore::Access::read).all().size() == 1);

  // Law: a call that resumes finds what is finished, with the same numbers, and tries the others again.
  options.place.resume = true;
  told = {};
  const SweepOutcome again = run_sweep(sweep, options);
  CHECK(told.lines.front() == "s: 3 runs, 2 different ones, 2 finished");
  CHECK(told.finished == 0);
  CHECK(values_of(again.results.cells[1].record->scores) == expected);
  CHECK(again.results.cells[2].status == RunStatus::failed);
}

// Law: stopped in its second run, a sweep sums up the first and leaves the second waiting.
TEST_CASE("an interrupted sweep keeps what is finished", "[toolkit]") {
  const test::TempDir dir;
  test::write_random_network(dir.path() / "net.safetensors", "cifar_resnet20");
  test::write_random_arrays(dir.path() / "images.npy", 6, 32);
  test::write_random_arrays(dir.path() / "other.npy", 5, 32);
  const config::Sweep sweep = over_data(dir.path(), "[images.npy, other.npy]");
  Told told;
  SweepOptions options = options_for(dir.path(), told);
  std::atomic<bool> stop = false;
  options.events.progress.cancelled = &stop;
  options.finished = [&](const results::RunResults&) { stop = true; };
  const SweepOutcome outcome = run_sweep(sweep, options);
  CHECK(outcome.interrupted);
  CHECK_FALSE(outcome.failure);
  CHECK(outcome.results.cells[0].status == RunStatus::finished);
  CHECK(outcome.results.cells[1].status == RunStatus::waiting);
  CHECK(file_text(options.place.folder / "sweep.json") ==
        container::write_json(results::sweep_json(outcome.results), 2) + "\n");
  CHECK_FALSE(fs::exists(options.place.folder / outcome.results.cells[1].folder));

  stop = false;
  options.finished = nullptr;
  options.place.resume = true;
  const SweepOutcome rest = run_sweep(sweep, options);
  CHECK_FALSE(rest.interrupted);
  CHECK(rest.results.count(RunStatus::finished) == 2);
}

// Oracle: the message. Every run of the sweep would write the one file.
TEST_CASE("a sweep refuses an export that all its runs would write", "[toolkit]") {
  const test::TempDir dir;
  test::write_random_network(dir.path() / "net.safetensors", "cifar_resnet20");
  test::write_random_arrays(dir.path() / "images.npy", 6, 32);
  config::Sweep sweep = over_data(dir.path(), "[images.npy]");
  sweep.runs[0].config.exported.emplace();
  sweep.runs[0].config.exported->path = dir.path() / "adapted.safetensors";
  Told told;
  CHECK_THROWS_WITH(
      run_sweep(sweep, options_for(dir.path(), told)),
      "export.path = adapted.safetensors: every run of the sweep would write it; expected a relative one");
  CHECK_FALSE(fs::exists(dir.path() / "out"));
}
