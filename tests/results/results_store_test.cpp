#include "shiftnorm/results/results_store.hpp"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using results::ResultsStore, results::RunRecord;
using Access = ResultsStore::Access;

namespace {

RunRecord record(const std::string& id, double accuracy) {
  RunRecord run;
  run.id = id;
  run.name = "a'b\"; DROP TABLE runs; --";
  run.finished = "2020-01-02T03:04:05Z";
  run.seed = 7;
  run.images = 12;
  run.settings = {{"data.target.shift.fog", "3"}, {"seed", "7"}};
  results::ScoreRecord score;
  score.mode = "source";
  score.metric = "accuracy";
  score.value = accuracy;
  score.low = 0.1;
  run.scores.push_back(score);
  score.metric = "auroc";
  score.value.reset();
  score.reason = "one class";
  run.scores.push_back(score);
  return run;
}

}  // namespace

// Oracle: a round trip.
TEST_CASE("the store gives back what was put in, and a run again takes its place", "[experiment]") {
  const test::TempDir dir;
  const std::filesystem::path file = dir.path() / "runs.sqlite";
  {
    ResultsStore store(file, Access::write);
    store.put(record("1", 0.5));
    store.put(record("2", 0.25));
    store.put(record("1", 1.0 / 3));
  }
  const std::vector<RunRecord> runs = ResultsStore(file, Access::read).all();
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].id == "2");
  CHECK(runs[1].name == record("1", 0).name);
  CHECK(runs[1].settings == record("1", 0).settings);
  REQUIRE(runs[1].scores.size() == 2);
  CHECK(runs[1].scores[0].value == 1.0 / 3);  // to the bit
  CHECK(runs[1].scores[0].low == 0.1);
  CHECK_FALSE(runs[1].scores[0].high.has_value());
  CHECK_FALSE(runs[1].scores[1].value.has_value());
  CHECK(runs[1].scores[1].reason == "one class");
  CHECK_FALSE(runs[1].patients.has_value());
}

// Law: every run that was put is read back, once.
TEST_CASE("processes that write at once lose nothing", "[experiment]") {
  const test::TempDir dir;
  const std::filesystem::path file = dir.path() / "runs.sqlite";
  constexpr int kWriters = 4, kRuns = 10;
  std::vector<pid_t> children;
  for (int writer = 0; writer < kWriters; ++writer) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        for (int i = 0; i < kRuns; ++i)  // each opens the file anew, the first ones make it
          ResultsStore(file, Access::write).put(record(fmt::format("{}-{}", writer, i), 0.5));
        ::_exit(0);
      } catch (...) {
        ::_exit(1);
      }
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  CHECK(ResultsStore(file, Access::read).all().size() == kWriters * kRuns);
}

// Oracle: a file that is not there, and one of 5000 letters.
TEST_CASE("a file that is no store is told", "[experiment]") {
  const test::TempDir dir;
  const auto opened = [&](const std::string& name) { ResultsStore(dir.path() / name, Access::read); };
  CHECK_THROWS_WITH(opened("none.sqlite"),
                    Catch::Matchers::Equals("none.sqlite: does not exist; expected a store that a run has written"));
  write_file(dir.path() / "text.sqlite", std::string(5000, 'x'));
  CHECK_THROWS_AS(opened("text.sqlite"), FormatError);
  CHECK_THROWS_WITH(opened("text.sqlite"), Catch::Matchers::Contains("expected a store of results"));
}

// Oracle: what was changed in each file with SQL.
TEST_CASE("a store of other tables, of rows without a run, or that is locked is told in one line", "[experiment]") {
  const test::TempDir dir;
  const std::filesystem::path file = dir.path() / "runs.sqlite";
  const auto change = [&](const char* sql) {
    std::filesystem::remove(file);
    ResultsStore(file, Access::write).put(record("1", 0.5));
    sqlite3* opened = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &opened) == SQLITE_OK);
    REQUIRE(sqlite3_exec(opened, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(opened);
  };
  const auto read = [&] { static_cast<void>(ResultsStore(file, Access::read).all()); };
  for (const char* orphan : {"DELETE FROM runs", "INSERT INTO settings VALUES(9, 'k', 'v')",
                             "INSERT INTO scores(run, mode, metric) VALUES(-1, 'm', 'accuracy')"}) {
    change(orphan);
    CHECK_THROWS_AS(read(), FormatError);
    CHECK_THROWS_WITH(read(), Catch::Matchers::Contains("which is missing; expected a store"));
  }
  for (const char* other : {"DROP TABLE scores", "ALTER TABLE runs RENAME COLUMN seed TO seeds"}) {
    change(other);
    CHECK_THROWS_AS(read(), FormatError);
    CHECK_THROWS_AS(ResultsStore(file, Access::write).put(record("2", 0.5)), FormatError);
  }
  change("PRAGMA user_version = 99");
  CHECK_THROWS_AS(read(), UnsupportedError);
  change("PRAGMA application_id = 1");
  CHECK_THROWS_WITH(read(), Catch::Matchers::Contains("is some other database"));
  // Columns of another type hold nothing that could be taken for a number.
  change("UPDATE runs SET seed = 'x', images = NULL");
  CHECK(ResultsStore(file, Access::read).all().at(0).seed == 0);
  std::filesystem::create_directory(dir.path() / "folder.sqlite");
  CHECK_THROWS_AS(ResultsStore(dir.path() / "folder.sqlite", Access::read), MachineError);
}
