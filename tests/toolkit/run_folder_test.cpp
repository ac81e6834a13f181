#include "shiftnorm/toolkit/run_folder.hpp"

#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/results/results_json.hpp"
#include "shiftnorm/results/results_store.hpp"
#include "shiftnorm/toolkit/plan.hpp"
#include "shiftnorm/toolkit/unfinished_work.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::toolkit;
namespace fs = std::filesystem;
using FileNames = std::vector<std::string>;

namespace {

RunOutcome small_outcome() {
  RunOutcome outcome;
  outcome.results.id = "0123456789abcdef";
  outcome.results.name = "small";
  outcome.results.images = 3;
  outcome.results.bad = {{"a.png", "not a PNG", "", std::nullopt}};
  outcome.config_yaml = "name: small\n";
  outcome.statistics = {{"adabn", {std::byte{1}}}};
  return outcome;
}

/// Every file and folder below, as paths in it.
FileNames contents(const fs::path& folder) {
  FileNames names;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
    names.push_back(entry.path().lexically_relative(folder).generic_string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string text_of(const fs::path& file) { return std::string(as_text(read_file(file))); }

/// A name that no file system of ours takes: 300 bytes.
Page impossible_page() { return {std::string(300, 'x'), "text"}; }

}  // namespace

// Oracle: the list of files in docs/guide.md, and a round trip of results.json.
TEST_CASE("a run folder appears whole", "[toolkit]") {
  const test::TempDir dir;
  const RunFolder folder(dir.path() / "runs/small");
  CHECK_FALSE(folder.finished("0123456789abcdef").has_value());
  const std::vector<Page> pages{{"report.html", "<p>"}, {"figures/", {}}, {"figures/roc.svg", "<svg>"}};
  const RunOutcome outcome = small_outcome();
  folder.write(outcome, pages, "the log");
  CHECK(contents(dir.path() / "runs") == FileNames{"small", "small/config.yaml", "small/figures",
                                                   "small/figures/roc.svg", "small/predictions.csv",
                                                   "small/quarantine.csv", "small/report.html", "small/results.json",
                                                   "small/run.log", "small/stats", "small/stats/adabn.bnstats"});
  CHECK(text_of(folder.path() / "report.html") == "<p>");
  CHECK(text_of(folder.path() / "run.log") == "the log");
  CHECK(text_of(folder.path() / "config.yaml") == "name: small\n");
  const std::optional<FinishedRun> found = folder.finished("0123456789abcdef");
  REQUIRE(found.has_value());
  CHECK(found->text == results::results_json(outcome.results));
  CHECK(found->results.images == 3);
  CHECK_FALSE(folder.finished("another").has_value());
  write_file(folder.path() / "results.json", std::string_view("{"));
  CHECK_FALSE(folder.finished("0123456789abcdef").has_value());
}

// Law: what cannot be written whole leaves the parent as it was; in a folder that is there the old results stay.
TEST_CASE("a run folder that cannot be written whole is not there", "[toolkit]") {
  const test::TempDir dir;
  const std::vector<Page> pages{impossible_page()};
  const RunFolder fresh(dir.path() / "runs/deep/small");
  CHECK_THROWS_AS(fresh.write(small_outcome(), pages, ""), MachineError);
  CHECK(contents(dir.path()).empty());

  const RunFolder there(dir.path() / "old");
  there.write(small_outcome(), {}, "");
  RunOutcome other = small_outcome();
  other.results.id = "fedcba9876543210";
  CHECK_THROWS_AS(there.write(other, pages, ""), MachineError);
  CHECK(there.finished("0123456789abcdef").has_value());
}

// Oracle: docs/reference/results.md, the record of a run lies relative to the folder of the store, and elsewhere
// nowhere.
TEST_CASE("a finished run is put into the store", "[toolkit]") {
  const test::TempDir dir;
  const results::RunResults results = small_outcome().results;
  RunPlace place;
  record_run(place, results, dir.path() / "out", "");  // no store
  CHECK(contents(dir.path()).empty());
  place.store = dir.path() / "runs/runs.sqlite";
  record_run(place, results, dir.path() / "runs/s/one", "s");
  results::RunResults other = results;
  other.name = "elsewhere";
  record_run(place, other, dir.path() / "out", "");
  const std::vector<results::RunRecord> all =
      results::ResultsStore(place.store, results::ResultsStore::Access::read).all();
  REQUIRE(all.size() == 2);
  CHECK(all[0].folder == "s/one");
  CHECK(all[0].sweep == "s");
  CHECK(all[0].id == "0123456789abcdef");
  CHECK(all[0].finished.size() == std::string_view("2026-01-02T03:04:05Z").size());
  CHECK(all[1].folder.empty());
}

// Law: what was kept is found by a call that resumes, and by no other; discarding leaves no trace.
TEST_CASE("unfinished work is kept beside the run folder", "[toolkit]") {
  const test::TempDir dir;
  const fs::path folder = dir.path() / "runs/deep/small";
  {
    UnfinishedWork work(folder, false);
    CHECK_FALSE(work.any());
    CHECK_FALSE(work.kept().find("piece").has_value());
    work.kept().keep("piece", as_bytes("abc"));
    CHECK(work.any());
    CHECK(work.folder() == dir.path() / "runs/deep/.small.unfinished");
  }
  {
    UnfinishedWork again(folder, true);
    const auto piece = again.kept().find("piece");
    REQUIRE(piece.has_value());
    CHECK(as_text(*piece) == "abc");
    CHECK(again.found() == 1);
  }
  CHECK_FALSE(UnfinishedWork(folder, false).any());
  CHECK_FALSE(fs::exists(dir.path() / "runs/deep/.small.unfinished"));

  UnfinishedWork made(dir.path() / "new/deep/small", false);
  made.kept().keep("piece", as_bytes("abc"));
  made.discard();
  CHECK_FALSE(fs::exists(dir.path() / "new"));
  made.kept().keep("piece", as_bytes("abc"));
  discard_unfinished_in(dir.path() / "new/deep");
  CHECK_FALSE(made.any());
}

// Oracle: the three paths by hand; `#key` names an array in a file.
TEST_CASE("inputs that are not there yet are named", "[toolkit]") {
  const test::TempDir dir;
  write_file(dir.path() / "x.npz", std::string_view("x"));
  config::Config config;
  config.model.checkpoint = dir.path() / "net.pth";
  config.target.path = dir.path() / "x.npz#images";
  CHECK(missing_inputs(config) == std::vector<fs::path>{dir.path() / "net.pth"});
  CHECK_FALSE(plan_if_there(config, {}, {}).has_value());
  config.target.path = dir.path() / "y.npz#images";
  CHECK(missing_inputs(config).size() == 2);
}

// Law: a stand-in is used where there is no key alone, and is gone with its owner.
TEST_CASE("keys of a plan leave no trace", "[toolkit]") {
  const test::TempDir dir;
  config::Config config;
  config.target.dataset.key_folder = dir.path();
  fs::path made;
  {
    StandInKeys keys;
    keys.stand_in(config);
    made = config.target.dataset.key_folder;
    CHECK(made != dir.path());
    CHECK(fs::is_directory(made));
  }
  CHECK_FALSE(fs::exists(made));
  CHECK(contents(dir.path()).empty());
  fs::create_directories(dir.path() / config::kProjectFolder);
  write_file(dir.path() / config::kProjectFolder / "key", std::string_view("k"));
  config.target.dataset.key_folder = dir.path();
  StandInKeys().stand_in(config);
  CHECK(config.target.dataset.key_folder == dir.path());
}
