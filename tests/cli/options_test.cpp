#include <catch2/catch.hpp>
#include <sstream>
#include <string>

#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/container/json.hpp"

using namespace shiftnorm;
using test::Call;

// Oracle: docs/reference/command-line.md#options-of-every-command.
TEST_CASE("every command has --help on stdout with the common options", "[cli]") {
  const test::TempDir dir;
  const std::string command = GENERATE("run", "recalibrate", "evaluate", "export", "inspect", "stats", "pull", "init");
  const Call call = test::shiftnorm(dir.path(), {command, "--help"});
  CHECK(call.exit == 0);
  CHECK(call.err.empty());
  CHECK(call.out.starts_with("usage: shiftnorm " + command));
  for (const char* option : {"--threads", "--quiet", "--log-level", "--log-format", "--isa", "--json"})
    CHECK_THAT(call.out, Catch::Matchers::Contains(option));
}

// Oracle: docs/reference/command-line.md.
TEST_CASE("the program tells its commands and its version", "[cli]") {
  const test::TempDir dir;
  const Call help = test::shiftnorm(dir.path(), {"--help"});
  CHECK(help.exit == 0);
  for (const char* command : {"run", "recalibrate", "evaluate", "export", "inspect", "stats", "pull", "init"})
    CHECK_THAT(help.out, Catch::Matchers::Contains(command));
  const Call version = test::shiftnorm(dir.path(), {"--version"});
  CHECK(version.exit == 0);
  CHECK(version.out.starts_with("shiftnorm 0."));
}

// Law: every line is a JSON event.
TEST_CASE("with --log-format json every line of stderr is an event", "[cli]") {
  const test::Workplace place;
  place.write_yaml("x.yaml", "[source]");
  const Call call = test::shiftnorm(place.path(), {"run", "x.yaml", "--log-format", "json"});
  CHECK(call.exit == 0);
  std::istringstream lines(call.err);
  int events = 0;
  for (std::string line; std::getline(lines, line); ++events)
    CHECK(container::parse_json(line).find("event") != nullptr);
  CHECK(events >= 3);

  const Call refused = test::shiftnorm(place.path(), {"run", "none.yaml", "--log-format", "json"});
  CHECK(refused.exit == 3);
  const container::Json event = container::parse_json(refused.err);
  CHECK(event.at("event").as_string() == "error");
  CHECK(event.at("exit").as_integer() == 3);
}

// Law: nothing is printed but warnings and errors, of which there are none.
TEST_CASE("Option --quiet says nothing, and --dry-run --json is a document", "[cli]") {
  const test::Workplace place;
  place.write_yaml("x.yaml", "[source]");
  const Call quiet = test::shiftnorm(place.path(), {"run", "x.yaml", "--quiet"});
  CHECK(quiet.exit == 0);
  CHECK(quiet.out.empty());
  CHECK(quiet.err.empty());
  const Call dry = test::shiftnorm(place.path(), {"run", "x.yaml", "--dry-run", "--json", "--set", "name=other"});
  CHECK(container::parse_json(dry.out).at("name").as_string() == "other");
}
