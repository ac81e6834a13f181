#include <catch2/catch.hpp>
#include <csignal>
#include <map>

#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/file.hpp"

using namespace shiftnorm;
using Catch::Matchers::Contains;
using container::Json;
using test::Call;
using test::json_at;

namespace {

std::map<std::string, std::filesystem::file_time_type> result_times(const std::filesystem::path& folder) {
  std::map<std::string, std::filesystem::file_time_type> times;
  for (const std::string& file : test::files_below(folder))
    if (file.ends_with("/results.json")) times[file] = std::filesystem::last_write_time(folder / file);
  return times;
}

}  // namespace

// Oracle: by hand: 3 shifts by 2 seeds, two of the shifts the same: 6 runs, 4 of them different.
TEST_CASE("a sweep runs every cell once and sums up", "[cli]") {
  const test::Workplace place;
  place.write_yaml("s.yaml", "[source, adabn]",
                   "sweep: {data.target.shift: [{fog: 1}, {contrast: 5}, {fog: 1}], seed: [1, 2]}\n");
  const Call dry = test::shiftnorm(place.path(), {"run", "s.yaml", "--dry-run"});
  CHECK(dry.exit == 0);
  CHECK_THAT(dry.out, Contains("6 runs, 4 different ones, 0 finished; about 0:"));
  CHECK_FALSE(std::filesystem::exists(place / "runs"));

  const Call call = test::shiftnorm(place.path(), {"run", "s.yaml", "--json"});
  INFO(call.err);
  REQUIRE(call.exit == 0);
  const Json summary = json_at(place / "runs" / "s" / "sweep.json");
  CHECK(summary == container::parse_json(call.out));
  const auto& runs = summary.at("runs").as_array();
  REQUIRE(runs.size() == 6);
  CHECK(runs[0].at("id") == runs[4].at("id"));
  CHECK(runs[0].at("modes") == runs[4].at("modes"));
  CHECK(runs[2].at("values").at("data.target.shift").as_string() == "contrast: 5");
  const auto times = result_times(place / "runs" / "s");
  CHECK(times.size() == 4);
  for (const Json& run : runs) {
    const Json results = json_at(place / "runs" / "s" / run.at("folder").as_string() / "results.json");
    CHECK(results.at("id") == run.at("id"));
    CHECK(results.at("modes").as_array()[1].at("metrics").at("accuracy").at("value") ==
          run.at("modes").as_array()[1].at("metrics").at("accuracy").at("value"));
  }

  // The page links the page of every run, and its pictures are files.
  const std::string page(as_text(read_file(place / "runs" / "s" / "report.html")));
  for (const Json& run : runs) {
    const std::string link = run.at("folder").as_string() + "/report.html";
    CHECK_THAT(page, Contains("href=\"" + link + "\""));
    CHECK(std::filesystem::exists(place / "runs" / "s" / link));
    CHECK(run.at("recommendation").at("confidence").is_string());
  }
  CHECK_THAT(page, Contains("shiftnorm run s.yaml"));
  CHECK(std::filesystem::exists(place / "runs" / "s" / "figures" / "heat-map-accuracy-adabn.svg"));

  // Nothing is computed again; a cell that is new is.
  CHECK(test::shiftnorm(place.path(), {"run", "s.yaml", "--resume", "--quiet"}).exit == 0);
  CHECK(result_times(place / "runs" / "s") == times);
  const Call more = test::shiftnorm(place.path(), {"run", "s.yaml", "--resume", "--set", "sweep.seed=[1, 2, 3]"});
  CHECK_THAT(more.err, Contains("9 runs, 6 different ones, 6 finished"));
  CHECK(result_times(place / "runs" / "s").size() == 6);
}

// Law: what was finished is not computed again; in the end all six runs are there.
TEST_CASE("a sweep that is killed goes on where it stopped", "[cli]") {
  const int signal = GENERATE(SIGINT, SIGKILL);
  const test::Workplace place(20);
  place.write_yaml("s.yaml", "[source, adabn]", "sweep: {seed: [1, 2, 3], data.target.shift: [{fog: 1}, {fog: 5}]}\n");
  const Call call = test::shiftnorm_signalled(place.path(), {"run", "s.yaml", "--threads", "1"}, signal, "run 4 of 6");
  CHECK(call.exit == (signal == SIGINT ? 130 : 1000 + SIGKILL));
  const auto before = result_times(place / "runs" / "s");
  CHECK(before.size() >= 3);
  CHECK(before.size() < 6);
  if (signal == SIGINT) {
    CHECK_THAT(call.err, Contains("the same command with --resume continues"));
    CHECK(std::filesystem::exists(place / "runs" / "s" / "sweep.json"));
    CHECK_THAT(std::string(as_text(read_file(place / "runs" / "s" / "report.html"))), Contains("are not finished."));
  }
  const Call again = test::shiftnorm(place.path(), {"run", "s.yaml", "--resume"});
  INFO(again.err);
  CHECK(again.exit == 0);
  const auto after = result_times(place / "runs" / "s");
  CHECK(after.size() == 6);
  for (const auto& [file, time] : before) CHECK(after.at(file) == time);  // not computed again
  CHECK_THAT(std::string(as_text(read_file(place / "runs" / "s" / "report.html"))), !Contains("are not finished."));
}

namespace {

/// Without times.
Json timeless(const Json& value) {
  if (value.is_array()) {
    Json out = Json::array();
    for (const Json& item : value.as_array()) out.push(timeless(item));
    return out;
  }
  if (!value.is_object()) return value;
  Json out = Json::object();
  for (const auto& [key, item] : value.as_object())
    if (key != "seconds" && key != "images_per_second") out.set(key, timeless(item));
  return out;
}

}  // namespace

// Oracle: the same run without an interruption.
TEST_CASE("a run that is killed goes on behind the modes that were done", "[cli]") {
  const int signal = GENERATE(SIGINT, SIGKILL);
  const test::Workplace place(20);
  place.write_yaml("r.yaml",
                   "[source, {policy: adabn, semantics: batch, batch: 10}, {policy: blend, prior_images: 4}, "
                   "{policy: mixture, prior_images: 4}, disabled]",
                   "export: {mode: adabn, path: adapted.safetensors}\n");
  REQUIRE(test::shiftnorm(place.path(), {"run", "r.yaml", "--out", "whole", "--quiet"}).exit == 0);
  const std::vector<std::string> before = test::files_below(place.path());
  const Call call = test::shiftnorm_signalled(
      place.path(), {"run", "r.yaml", "--out", "part", "--threads", "1", "--log-format", "json"}, signal,
      R"("stage":"evaluate","mode":"adabn")");
  INFO(call.err);
  REQUIRE(call.exit == (signal == SIGINT ? 130 : 1000 + SIGKILL));
  if (signal == SIGINT) CHECK_THAT(call.err, Contains(".part.unfinished keeps what was computed"));
  CHECK_FALSE(std::filesystem::exists(place / "part"));
  CHECK(std::filesystem::exists(place / ".part.unfinished"));

  // Another configuration has no use for it.
  const Call other =
      test::shiftnorm(place.path(), {"run", "r.yaml", "--out", "part", "--resume", "--set", "seed=9", "--dry-run"});
  CHECK(other.exit == 0);
  const Call again =
      test::shiftnorm(place.path(), {"run", "r.yaml", "--out", "part", "--resume", "--log-format", "json"});
  INFO(again.err);
  REQUIRE(again.exit == 0);
  CHECK_THAT(again.err, Contains("were done already"));
  CHECK_THAT(again.err, !Contains(R"("mode":"source")") && !Contains(R"("stage":"adapt","mode":"adabn")"));
  CHECK(timeless(json_at(place / "part" / "results.json")) == timeless(json_at(place / "whole" / "results.json")));
  for (const char* file : {"predictions.csv", "adapted.safetensors", "config.yaml", "stats/adabn.bnstats"})
    CHECK(read_file(place / "part" / file) == read_file(place / "whole" / file));
  std::vector<std::string> after = test::files_below(place.path());
  std::erase_if(after, [](const std::string& file) { return file == "part" || file.starts_with("part/"); });
  CHECK(after == before);
}

// Law: what is kept belongs to one run: another seed or configuration finds nothing.
TEST_CASE("what is kept of an unfinished run is not kept for another", "[cli]") {
  const test::Workplace place(20);
  place.write_yaml("r.yaml", "[source, disabled, adabn]");
  const auto interrupted = [&] {
    return test::shiftnorm_signalled(place.path(),
                                     {"run", "r.yaml", "--out", "part", "--threads", "1", "--log-format", "json"},
                                     SIGKILL, R"("mode":"disabled")")
        .exit;
  };
  REQUIRE(interrupted() == 1000 + SIGKILL);
  REQUIRE(std::filesystem::exists(place / ".part.unfinished"));
  SECTION("other seed") {
    const Call other = test::shiftnorm(place.path(), {"run", "r.yaml", "--out", "part", "--resume", "--set", "seed=9"});
    CHECK(other.exit == 0);
    CHECK_THAT(other.err, !Contains("were done already"));
  }
  SECTION("no --resume") {
    const Call fresh = test::shiftnorm(place.path(), {"run", "r.yaml", "--out", "part"});
    CHECK(fresh.exit == 0);
    CHECK_THAT(fresh.err, !Contains("were done already"));
  }
  CHECK_FALSE(std::filesystem::exists(place / ".part.unfinished"));
}

// Law: a sweep is checked whole before its first run.
TEST_CASE("a sweep with an impossible cell is refused whole", "[cli]") {
  const test::Workplace place;
  place.write_yaml("s.yaml", "[source]", "sweep: {data.target.limit.per_class: [1, 2]}\n");
  test::check_refused(place, {"run", "s.yaml", "--set", "sweep.seed=[1, -1]"}, 2, "seed = -1");
  test::check_refused(place, {"run", "s.yaml", "--set", "model.checkpoint=none.th"}, 3, "none.th");
}

// Law: a finished run's files keep their times; another seed is another run.
TEST_CASE("run --resume does not compute a finished run again", "[cli]") {
  const test::Workplace place;
  place.write_yaml("r.yaml");
  const Call first = test::shiftnorm(place.path(), {"run", "r.yaml", "--json"});
  const auto times = result_times(place / "runs");
  const Call again = test::shiftnorm(place.path(), {"run", "r.yaml", "--resume", "--json"});
  CHECK(again.exit == 0);
  CHECK(again.out == first.out);
  CHECK(result_times(place / "runs") == times);
  const Call other = test::shiftnorm(place.path(), {"run", "r.yaml", "--resume", "--json", "--set", "seed=4"});
  CHECK(container::parse_json(other.out).at("id") != container::parse_json(first.out).at("id"));
}

// Oracle: by hand: each run, mode and stage ends once.
TEST_CASE("progress as JSON names the run, the mode and the stage", "[cli]") {
  const test::Workplace place;
  // Other images: on the same ones the second run would take everything over from the first.
  place.write_yaml("s.yaml", "[source, adabn]", "sweep: {data.target.shift: [{fog: 1}, {fog: 2}]}\n");
  const Call call = test::shiftnorm(place.path(), {"run", "s.yaml", "--log-format", "json"});
  REQUIRE(call.exit == 0);
  std::map<std::string, int> ends;
  for (std::size_t begin = 0; begin < call.err.size();) {
    const std::size_t end = call.err.find('\n', begin);
    const Json event = container::parse_json(call.err.substr(begin, end - begin));  // each line is one document
    begin = end + 1;
    if (event.at("event").as_string() != "progress") continue;
    CHECK(event.at("rate").as_number() >= 0);
    CHECK(event.at("seconds_left").as_number() >= 0);
    if (event.find("mode") == nullptr || event.at("done") != event.at("total")) continue;
    ++ends[event.at("run").as_string() + "/" + event.at("mode").as_string() + "/" + event.at("stage").as_string()];
  }
  CHECK(ends == std::map<std::string, int>{{"shift = fog: 1/adabn/adapt", 1},
                                           {"shift = fog: 1/source/evaluate", 1},
                                           {"shift = fog: 2/adabn/adapt", 1},
                                           {"shift = fog: 2/source/evaluate", 1}});
}
