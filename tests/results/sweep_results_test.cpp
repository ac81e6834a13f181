#include "shiftnorm/results/sweep_results.hpp"

#include <catch2/catch.hpp>

#include "results/sample_run.hpp"

using namespace shiftnorm;
using namespace shiftnorm::results;

namespace {

/// Two finished runs with one id, one that failed and one that waits.
SweepResults four_runs() {
  SweepResults sweep;
  sweep.name = "s";
  sweep.keys = {"data.target.shift", "seed"};
  sweep.cells.resize(4);
  SweepCell& done = sweep.cells[0];
  done.values = {"fog: 1", "=2"};
  done.folder = "aaaa00001111-fog";
  done.id = "aaaa0000111122223333";
  done.status = RunStatus::finished;
  RunRecord& record = done.record.emplace();
  record.scores.resize(2);
  record.scores[0].mode = "source";
  record.scores[0].policy = "source";
  record.scores[0].metric = "accuracy";
  record.scores[0].value = 0.5;
  record.scores[0].low = 0.25;
  record.scores[1].mode = "a,b";
  record.scores[1].policy = "adabn";
  record.scores[1].metric = "accuracy";
  record.scores[1].difference = 0.1;
  record.scores[1].difference_high = 1.0 / 3;
  record.scores[1].test = "mcnemar";
  record.scores[1].p = 0.0625;
  done.recommendation = Recommendation{"a,b", {"because"}, "high"};
  sweep.cells[1] = done;
  sweep.cells[1].values = {"fog: 1", "3"};
  sweep.cells[1].recommendation.reset();
  sweep.cells[2].values = {"none", "2"};
  sweep.cells[2].id = "bbbb";
  sweep.cells[2].status = RunStatus::failed;
  sweep.cells[2].reason = "x.npy: is empty";
  sweep.cells[3].values = {"none", "3"};
  sweep.cells[3].id = "cccc";
  return sweep;
}

}  // namespace

// Oracle: the document written by hand. A mode without a metric's value has null; a recommendation is there where one
// is.
TEST_CASE("sweep.json lists every run with what it found", "[results]") {
  const SweepResults sweep = four_runs();
  CHECK(sweep.count(RunStatus::finished) == 2);
  CHECK(sweep.different() == 3);
  CHECK(values_text(sweep, sweep.cells[0]) == "shift = fog: 1, seed = =2");
  CHECK(
      container::write_json(sweep_json(sweep)) ==
      R"({"schema":1,"name":"s","keys":["data.target.shift","seed"],"runs":[)"
      R"({"id":"aaaa0000111122223333","folder":"aaaa00001111-fog","values":{"data.target.shift":"fog: 1","seed":"=2"},)"
      R"("status":"finished","modes":[{"name":"source","metrics":{"accuracy":)"
      R"({"value":0.5,"low":0.25,"high":null,"difference":null,"p":null}}},{"name":"a,b","metrics":{"accuracy":)"
      R"({"value":null,"low":null,"high":null,"difference":0.1,"p":0.0625}}}],)"
      R"("recommendation":{"mode":"a,b","confidence":"high"}},)"
      R"({"id":"aaaa0000111122223333","folder":"aaaa00001111-fog","values":{"data.target.shift":"fog: 1","seed":"3"},)"
      R"("status":"finished","modes":[{"name":"source","metrics":{"accuracy":)"
      R"({"value":0.5,"low":0.25,"high":null,"difference":null,"p":null}}},{"name":"a,b","metrics":{"accuracy":)"
      R"({"value":null,"low":null,"high":null,"difference":0.1,"p":0.0625}}}]},)"
      R"({"id":"bbbb","folder":"","values":{"data.target.shift":"none","seed":"2"},"status":"failed",)"
      R"("reason":"x.npy: is empty","modes":[]},)"
      R"({"id":"cccc","folder":"","values":{"data.target.shift":"none","seed":"3"},"status":"waiting","modes":[]}]})");
}

// Oracle: the lines by hand; a value that a spreadsheet would take for a formula has an apostrophe, in quotes (OWASP).
TEST_CASE("sweep.csv has a line for each run, mode and metric", "[results]") {
  SweepResults sweep = four_runs();
  sweep.cells.erase(sweep.cells.begin() + 1);
  CHECK(sweep_csv(sweep) ==
        "run,folder,data.target.shift,seed,mode,policy,metric,value,low,high,difference,difference_low,"
        "difference_high,test,p\n"
        "aaaa00001111,aaaa00001111-fog,fog: 1,\"'=2\",source,source,accuracy,0.5,0.25,,,,,,\n"
        "aaaa00001111,aaaa00001111-fog,fog: 1,\"'=2\",\"a,b\",adabn,accuracy,,,,0.1,,0.3333333333333333,mcnemar,"
        "0.0625\n");
}

// Oracle: the sample run's own fields; seconds are loading and every mode's.
TEST_CASE("a cell is filled by its run", "[results]") {
  const RunResults run = test::sample_run();
  SweepCell cell;
  fill_cell(cell, run);
  CHECK(cell.status == RunStatus::finished);
  REQUIRE(cell.record.has_value());
  CHECK(cell.record->fingerprint == run.fingerprint);
  CHECK(cell.recommendation.has_value() == run.recommendation.has_value());
  double seconds = run.load_seconds;
  for (const ModeReport& mode : run.modes) seconds += mode.adapt_seconds + mode.evaluate_seconds;
  CHECK(cell.seconds == seconds);
}
