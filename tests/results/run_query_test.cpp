#include "shiftnorm/results/run_query.hpp"

#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::results;
using TableRows = std::vector<std::vector<std::string>>;
using Texts = std::vector<std::string>;

namespace {

ScoreRecord score(const std::string& mode, const std::string& metric, std::optional<double> value,
                  std::optional<double> difference = std::nullopt) {
  ScoreRecord out;
  out.mode = mode;
  out.metric = metric;
  out.value = value;
  out.difference = difference;
  return out;
}

/// Two runs of a sweep over the shift, which agree in their network, and one run by itself on another network.
std::vector<RunRecord> three_runs() {
  std::vector<RunRecord> runs(3);
  runs[0].id = "aaaa0000111122223333";
  runs[0].name = "fogged";
  runs[0].settings = {{"data.target.shift.fog", "1"}, {"model.checkpoint", "a.pth"}, {"seed", "0"}};
  runs[0].scores = {score("source", "accuracy", 0.5), score("adabn", "accuracy", 0.75, 0.25),
                    score("adabn", "ece", 0.125)};
  runs[1].id = "aaaa4444555566667777";
  runs[1].name = "pale";
  runs[1].settings = {{"data.target.shift.contrast", "5"}, {"model.checkpoint", "a.pth"}, {"seed", "0"}};
  runs[1].scores = {score("source", "accuracy", 0.25), score("adabn", "accuracy", 1.0, 0.75)};
  runs[2].id = "bbbb8888999900001111";
  runs[2].name = "alone";
  runs[2].settings = {{"model.checkpoint", "b.pth"}, {"seed", "0"}};
  runs[2].scores = {score("source", "accuracy", std::nullopt)};
  runs[2].scores[0].reason = "no image has a label";
  return runs;
}

RunQuery query(const std::string& metric) {
  RunQuery out;
  out.metrics = {metric};
  return out;
}

std::string refusal(const RunQuery& asked) {
  try {
    static_cast<void>(table_of(three_runs(), asked));
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

// Oracle: the three runs by hand. `seed` is the same in all, so no column; ids are cut to twelve digits.
TEST_CASE("a query lists one row per run, mode and metric", "[results]") {
  RunQuery asked = query("accuracy");
  asked.where = {"model.checkpoint=a.pth"};
  const ResultsTable table = table_of(three_runs(), asked);
  CHECK(table.columns == Texts{"run", "name", "data.target.shift.contrast", "data.target.shift.fog", "mode", "metric",
                               "value", "low", "high", "versus_source", "p"});
  CHECK(table.numeric == std::vector<bool>{false, false, false, false, false, false, true, true, true, true, true});
  CHECK(table.rows == TableRows{{"aaaa00001111", "fogged", "", "1", "source", "accuracy", "0.5", "", "", "", ""},
                                {"aaaa00001111", "fogged", "", "1", "adabn", "accuracy", "0.75", "", "", "0.25", ""},
                                {"aaaa44445555", "pale", "5", "", "source", "accuracy", "0.25", "", "", "", ""},
                                {"aaaa44445555", "pale", "5", "", "adabn", "accuracy", "1", "", "", "0.75", ""}});

  asked.where = {"name=alone"};
  asked.reasons = true;
  CHECK(table_of(three_runs(), asked).rows ==
        TableRows{{"bbbb88889999", "alone", "source", "accuracy", "", "", "", "", "", "no image has a label"}});
}

// Oracle: by hand. With a mode: 0.75 - 0.5 and 1 - 0.25; with a run: 0.25 - 0.5 and 1 - 0.75; nothing where either
// lacks the value.
TEST_CASE("a query compares with a mode of the same run or with a run", "[results]") {
  RunQuery asked = query("accuracy");
  asked.modes = {"adabn"};
  asked.compare = "source";
  asked.wide = true;
  CHECK(table_of(three_runs(), asked).rows ==
        TableRows{{"aaaa00001111", "fogged", "", "1", "a.pth", "accuracy", "0.25"},
                  {"aaaa44445555", "pale", "5", "", "a.pth", "accuracy", "0.75"}});
  asked.modes.clear();
  for (const char* named : {"fogged", "aaaa0000"}) {
    asked.compare = named;
    const ResultsTable table = table_of(three_runs(), asked);
    CHECK(table.columns == Texts{"run", "name", "data.target.shift.contrast", "data.target.shift.fog",
                                 "model.checkpoint", "metric", "source", "adabn"});
    CHECK(table.rows == TableRows{{"aaaa00001111", "fogged", "", "1", "a.pth", "accuracy", "0", "0"},
                                  {"aaaa44445555", "pale", "5", "", "a.pth", "accuracy", "-0.25", "0.25"},
                                  {"bbbb88889999", "alone", "", "", "b.pth", "accuracy", "", ""}});
  }
}

// Oracle: by hand, (0.5 + 0.25) / 2 and (0.75 + 1) / 2. A mode that one of a group's runs has no value of has no mean.
TEST_CASE("a query takes means over runs that agree", "[results]") {
  RunQuery asked = query("accuracy");
  asked.mean_by = {"model.checkpoint"};
  const ResultsTable means = table_of(three_runs(), asked);
  CHECK(means.columns == Texts{"model.checkpoint", "metric", "runs", "source", "adabn"});
  CHECK(means.rows == TableRows{{"a.pth", "accuracy", "2", "0.375", "0.875"}, {"b.pth", "accuracy", "1", "", ""}});
  asked.metrics.clear();
  CHECK(table_of(three_runs(), asked).rows == TableRows{{"a.pth", "accuracy", "2", "0.375", "0.875"},
                                                        {"a.pth", "ece", "1", "", "0.125"},
                                                        {"b.pth", "accuracy", "1", "", ""}});
  // A map of settings: the names in it.
  asked.metrics = {"accuracy"};
  asked.mean_by = {"data.target.shift"};
  asked.modes = {"source"};
  CHECK(table_of(three_runs(), asked).rows == TableRows{{"fog", "accuracy", "1", "0.5"},
                                                        {"contrast", "accuracy", "1", "0.25"},
                                                        {"none", "accuracy", "1", ""}});
}

// Oracle: the order of 0.5, 0.25 and nothing as numbers, of names as texts; what is missing comes last both ways.
TEST_CASE("a query sorts by any column", "[results]") {
  RunQuery asked = query("accuracy");
  asked.wide = true;
  const auto names = [&](const std::string& sort) {
    asked.sort = sort;
    Texts out;
    for (const auto& row : table_of(three_runs(), asked).rows) out.push_back(row[1]);
    return out;
  };
  CHECK(names("source") == Texts{"pale", "fogged", "alone"});
  CHECK(names("-source") == Texts{"fogged", "pale", "alone"});
  CHECK(names("name") == Texts{"alone", "fogged", "pale"});
  CHECK(names("-name") == Texts{"pale", "fogged", "alone"});
}

// Oracle: each part of the query by its name, and what is meant.
TEST_CASE("a query for what no run has is refused", "[results]") {
  RunQuery asked;
  asked.where = {"sed=0"};
  CHECK(refusal(asked) == "where sed: is not in any of the runs; nearest is 'seed'");
  asked.where = {"=0"};
  CHECK(refusal(asked) == "where = =0; expected KEY=VALUE");
  CHECK(refusal(query("acuracy")) == "metric acuracy: is not in any of the runs; nearest is 'accuracy'");
  asked = query("accuracy");
  asked.modes = {"z"};
  CHECK(refusal(asked) == "modes z: is not in any of the runs; expected one of adabn, source");
  asked.modes.clear();
  asked.mean_by = {"modle"};
  CHECK(refusal(asked) == "mean-by modle: is not in any of the runs; nearest is 'model'");
  asked.mean_by.clear();
  asked.compare = "aaaa";
  CHECK(refusal(asked) == "compare = aaaa: names several runs; expected one id");
  asked.compare = "bbb";  // three digits are no id
  CHECK(refusal(asked) == "compare = bbb: is neither a mode nor a run of the store");
  asked.compare.clear();
  asked.sort = "-valeu";
  CHECK(refusal(asked) == "sort valeu: is not in any of the runs; nearest is 'value'");
}
