#include <catch2/catch.hpp>
#include <set>

#include "adapt/mode_changes.hpp"
#include "method_json.hpp"
#include "shiftnorm/adapt/mode_fields.hpp"
#include "shiftnorm/config/config.hpp"
#include "shiftnorm/results/results_json.hpp"
#include "shiftnorm/toolkit/mode_facts.hpp"

using namespace shiftnorm;
using container::Json;

namespace {

std::string yaml_of(const adapt::Mode& mode) {
  config::Config config;
  config.name = "x";
  config.model.checkpoint = "/net.pth";
  config.target.path = "/images";
  config.modes = {mode};
  return config::resolved_yaml(config, "/");
}

results::RunResults run_of(const adapt::Mode& mode) {
  results::RunResults run;
  run.modes.emplace_back().mode = toolkit::facts_of(mode);
  return run;
}

/// Keys of a mode in a document, those of its layers as "layers.first".
std::set<std::string> keys_of(const Json& mode) {
  std::set<std::string> keys;
  for (const auto& [key, value] : mode.as_object()) {
    if (key != "layers")
      keys.insert(key);
    else
      for (const auto& [inner, pattern] : value.as_object()) keys.insert("layers." + inner);
  }
  return keys;
}

}  // namespace

// Law: what a mode does is told by each of its texts, and read back from those that are read.
TEST_CASE("every text of a mode changes with every field", "[mode_texts]") {
  for (const test::ModeChange& change : test::mode_changes()) {
    INFO(change.field);
    adapt::Mode before = change.from, after = change.from;
    change.change(after);
    before.name = after.name = "mine";
    CHECK(adapt::canonical(after) != adapt::canonical(before));
    CHECK(yaml_of(after) != yaml_of(before));
    CHECK(config::parse_config(yaml_of(after), "x.yaml", {}).modes == std::vector{after});
    const std::string json = results::results_json(run_of(after));
    CHECK(json != results::results_json(run_of(before)));
    CHECK(results::read_results(container::parse_json(json)).modes.at(0).mode == toolkit::facts_of(after));
    CHECK(toolkit::method_json(after) != toolkit::method_json(before));
  }
}

// Oracle: the names of adapt::mode_fields(), which YAML is written from.
TEST_CASE("results.json and provenance name a mode's fields as YAML does", "[mode_texts]") {
  std::set<std::string> names, seen, told;
  for (const adapt::ModeField& field : adapt::mode_fields()) names.emplace(field.name);
  for (const test::ModeChange& change : test::mode_changes()) {
    adapt::Mode mode = change.from;
    change.change(mode);
    const Json document = container::parse_json(results::results_json(run_of(mode)));
    for (const std::string& key : keys_of(document.at("modes").as_array().at(0)))
      if (names.contains(key)) seen.insert(key);
    if (mode.layers != adapt::LayerRule{}) told.merge(keys_of(toolkit::method_json(mode)));
  }
  CHECK(seen == names);
  names.erase("name");  // which says nothing of how statistics were made
  CHECK(told == names);
}
