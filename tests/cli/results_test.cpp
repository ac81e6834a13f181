#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/container/csv.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/file.hpp"

using namespace shiftnorm;
using Catch::Matchers::Contains, Catch::Matchers::StartsWith;
using container::Json;
using test::Call;

// Oracle: each run's results.json.
TEST_CASE("results lists, filters, compares and exports what runs found out", "[cli]") {
  const test::Workplace place;
  place.write_yaml("s.yaml", "[source, adabn]", "sweep: {data.target.shift: [{fog: 1}, {contrast: 5}]}\n");
  place.write_yaml("one_run.yaml");
  REQUIRE(test::shiftnorm(place.path(), {"run", "s.yaml", "--quiet"}).exit == 0);
  REQUIRE(test::shiftnorm(place.path(), {"run", "one_run.yaml", "--quiet"}).exit == 0);
  const auto call = [&](std::vector<std::string> more) {
    more.insert(more.begin(), "results");
    Call done = test::shiftnorm(place.path(), std::move(more));
    INFO(done.err);
    CHECK(done.exit == 0);
    return done.out;
  };

  const Json rows =
      container::parse_json(call({"--where", "data.target.shift.contrast=5", "--metric", "accuracy,ece", "--json"}));
  REQUIRE(rows.at("rows").as_array().size() == 4);
  const Json& adabn = rows.at("rows").as_array()[2];
  CHECK(adabn.at("mode").as_string() == "adabn");
  const Json summary = container::parse_json(as_text(read_file(place / "runs/s/sweep.json")));
  const Json& metric = summary.at("runs").as_array()[1].at("modes").as_array()[1].at("metrics").at("accuracy");
  CHECK(adabn.at("value") == metric.at("value"));
  CHECK(adabn.at("versus_source") == metric.at("difference"));

  // Three runs, one metric, a column for each mode.
  const container::CsvTable wide = container::parse_csv(call({"--metric", "accuracy", "--wide", "--format", "csv"}));
  CHECK(wide.rows() == 3);
  CHECK(wide.find("adabn").has_value());
  CHECK(wide.find("data.target.shift.fog").has_value());
  CHECK_FALSE(wide.find("model.architecture").has_value());  // the same in all

  // Means over the two runs of s, and over the one beside them; a map of settings groups by the names in it.
  const Json means = container::parse_json(call({"--metric", "accuracy", "--mean-by", "name", "--json"}));
  REQUIRE(means.at("rows").as_array().size() == 2);
  const Json& both = means.at("rows").as_array()[0];
  const auto source_of = [&](std::size_t run) {
    const Json& modes = summary.at("runs").as_array()[run].at("modes");
    return modes.as_array()[0].at("metrics").at("accuracy").at("value").as_number();
  };
  CHECK(both.at("runs").as_number() == 2);
  CHECK(both.at("source").as_number() == Approx((source_of(0) + source_of(1)) / 2).epsilon(1e-12));
  CHECK_THAT(call({"--metric", "accuracy", "--mean-by", "data.target.shift", "--format", "csv"}),
             Contains("fog,accuracy,1,") && Contains("contrast,accuracy,1,") && Contains("none,accuracy,1,"));
  test::check_refused(place, {"results", "--mean-by", "nome"}, 2, "--mean-by nome: is not in any of the runs");

  const Json compared = container::parse_json(
      call({"--metric", "accuracy", "--modes", "adabn", "--compare", "one_run", "--sort", "-value", "--json"}));
  CHECK(compared.at("rows").as_array().size() == 3);
  double last = 1;
  for (const Json& row : compared.at("rows").as_array()) {
    CHECK(row.at("value").as_number() <= last);
    last = row.at("value").as_number();
    if (row.at("name").as_string() == "one_run") CHECK(row.at("versus one_run").as_number() == 0);
  }
  CHECK_THAT(call({"--metric", "accuracy", "--format", "latex"}),
             Contains("one\\_run") && StartsWith("\\begin{tabular}{l"));
  CHECK_THAT(call({"--metric", "accuracy", "--format", "markdown"}),
             StartsWith("| run | name |") && Contains("one\\_run"));
  CHECK_THAT(call({"--compare", "source", "--metric", "accuracy"}), Contains("versus source"));
  const std::string everything = call({"--format", "csv"});
  CHECK(everything.find(place.path().string()) == std::string::npos);

  test::check_refused(place, {"results", "--metric", "acuracy"}, 2,
                      "--metric acuracy: is not in any of the runs; nearest is 'accuracy'");
  test::check_refused(place, {"results", "--where", "sed=3"}, 2, "nearest is 'seed'");
  test::check_refused(place, {"results", "--where", "seed"}, 2, "--where = seed; expected KEY=VALUE");
  test::check_refused(place, {"results", "--format", "xml"}, 2,
                      "--format = xml; expected table, csv, json, latex or markdown");
  test::check_refused(place, {"results", "--compare", "nobody"}, 2, "is neither a mode nor a run of the store");
  test::check_refused(place, {"results", "--store", "none.sqlite"}, 3, "none.sqlite: does not exist");
  test::check_refused(place, {"results", "--store", "net.safetensors"}, 3, "net.safetensors: ");
}
