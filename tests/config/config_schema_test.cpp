#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <set>

#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/config/config.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/imaging/shift.hpp"
#include "shiftnorm/imaging/transform.hpp"
#include "shiftnorm/metrics/metrics.hpp"

using namespace shiftnorm;
using container::Json;

namespace {

Json schema() { return container::parse_json(as_text(read_file(SHIFTNORM_CONFIGS "/schema.json"))); }

/// A `$ref` followed.
const Json& resolved(const Json& root, const Json& node) {
  const Json* reference = node.find("$ref");
  if (reference == nullptr) return node;
  const std::string& path = reference->as_string();  // "#/$defs/name"
  return root.at("$defs").at(path.substr(path.rfind('/') + 1));
}

/// The keys of an object, or of those alternatives that are objects.
void add_keys(const Json& root, const Json& given, std::set<std::string>& keys) {
  const Json& node = resolved(root, given);
  if (const Json* alternatives = node.find("oneOf"))
    for (const Json& one : alternatives->as_array()) add_keys(root, one, keys);
  if (const Json* properties = node.find("properties"))
    for (const auto& [key, value] : properties->as_object()) keys.insert(key);
}

const Json& step(const Json& root, const Json& given, const std::string& key) {
  const Json& node = resolved(root, given);
  if (key == "1") return node.at("items");
  if (const Json* alternatives = node.find("oneOf"))
    for (const Json& one : alternatives->as_array())
      if (const Json* properties = one.find("properties"); properties != nullptr && properties->find(key) != nullptr)
        return properties->at(key);
  return node.at("properties").at(key);
}

std::set<std::string> schema_keys(const Json& root, const std::string& path) {
  const Json* node = &root;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    node = &step(root, *node, path.substr(begin, end - begin));
    begin = end + 1;
  }
  std::set<std::string> keys;
  add_keys(root, *node, keys);
  return keys;
}

/// What the parser itself lists as the keys of a map when it meets one that is like none of them.
std::set<std::string> parser_keys(const std::string& path) {
  const std::string text =
      "model: {checkpoint: a.th}\n"
      "data: {target: {path: i, limit: {images: 1}, domain: {key: k}, frames: {max: 1}, label: {tag: t}}, "
      "source: {path: i}}\n"
      "protocol: {kind: transductive}\nmodes: [source, {name: adabn, layers: {}}]\n"
      "evaluate: {interval: {}}\nexport: {mode: adabn, path: p}\n";
  const std::string key = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";
  std::string assignment = path;
  assignment += path.empty() ? "" : ".";
  assignment += key;
  assignment += "=1";
  try {
    static_cast<void>(config::parse_config(text, "x.yaml", {{}, {assignment}}));
  } catch (const ConfigError& e) {
    const std::string message = e.what();
    const std::string before = "; expected one of ";
    const std::size_t at = message.find(before);
    INFO(message);
    REQUIRE(at != std::string::npos);
    std::set<std::string> keys;
    std::string rest = message.substr(at + before.size());
    for (std::size_t begin = 0; begin < rest.size();) {
      const std::size_t end = std::min(rest.find(", ", begin), rest.size());
      keys.insert(rest.substr(begin, end - begin));
      begin = end + 2;
    }
    return keys;
  }
  FAIL("the parser took an unknown key at " << path);
  return {};
}

template <class Names>
std::set<std::string> set_of(const Names& names) {
  return {names.begin(), names.end()};
}

std::set<std::string> texts(const Json& list) {
  std::set<std::string> out;
  for (const Json& one : list.as_array()) out.insert(one.as_string());
  return out;
}

/// A key's value in the schema, references followed.
const Json& property(const Json& root, const std::string& path) {
  const Json* node = &root;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    node = &step(root, *node, path.substr(begin, end - begin));
    begin = end + 1;
  }
  return resolved(root, *node);
}

/// An experiment as the program writes it, with one key set; empty: it was refused.
std::string written_with(const std::string& path, const std::string& value) {
  const std::string example =
      "model: {checkpoint: a.th}\ndata: {target: {path: i, limit: {images: 1}, domain: {key: k}, frames: {max: 1}}}\n"
      "protocol: {kind: held_out}\nmodes: [source, {name: blend, prior_images: 1, semantics: batch}]\n"
      "evaluate: {interval: {}}\nexport: {mode: blend, path: p}\n";
  try {
    return config::resolved_yaml(config::parse_config(example, "x.yaml", {{}, {path + "=" + value}}), "/");
  } catch (const ConfigError&) {
    return {};
  }
}

std::string text_of(const Json& value) { return value.is_string() ? value.as_string() : container::write_json(value); }

}  // namespace

// Oracle: the parser's own lists of keys.
TEST_CASE("the schema for editors has every key of the parser and no other", "[experiment]") {
  const Json root = schema();
  for (const std::string path : {"", "model", "data", "data.target", "data.source", "data.target.limit",
                                 "data.target.domain", "data.target.frames", "data.target.label", "protocol", "modes.1",
                                 "modes.1.layers", "evaluate", "evaluate.interval", "export"}) {
    INFO("at '" << path << "'");
    CHECK(schema_keys(root, path) == parser_keys(path));
  }
}

// Oracle: the tables themselves, and for enumerations of adapt the names of docs/reference/estimators.md.
TEST_CASE("the schema for editors lists what the tables hold", "[experiment]") {
  const Json root = schema();
  const Json& mode = root.at("$defs").at("mode").at("oneOf").as_array()[1].at("properties");
  std::set<std::string> policies = set_of(adapt::kPolicies.list());
  for (const adapt::FormerName& former : adapt::former_policy_names()) policies.emplace(former.name);
  CHECK(texts(mode.at("policy").at("enum")) == policies);
  CHECK(texts(mode.at("semantics").at("enum")) == std::set<std::string>{"layerwise", "batch", "source"});
  CHECK(texts(mode.at("estimator").at("enum")) ==
        std::set<std::string>{"population", "batch-mean", "ema", "ema-reset", "dua"});
  std::set<std::string> shifts, metric_names;
  for (const imaging::ShiftSpec& spec : imaging::shift_table()) shifts.emplace(spec.name);
  for (const metrics::MetricSpec& spec : metrics::metric_table()) metric_names.emplace(spec.name);
  CHECK(schema_keys(root, "data.target.shift") == shifts);
  CHECK(texts(root.at("properties").at("evaluate").at("properties").at("metrics").at("items").at("enum")) ==
        metric_names);
  CHECK(texts(root.at("properties").at("preprocess").at("oneOf").as_array()[0].at("enum")) ==
        set_of(imaging::preset_names()));
}

// Law: what editors read is what the program's own tables say.
TEST_CASE("configs/schema.json is what the library writes", "[experiment]") {
  INFO("shiftnorm init --schema --out configs/schema.json --force writes it anew");
  CHECK(std::string(as_text(read_file(SHIFTNORM_CONFIGS "/schema.json"))) == config::schema_json());
}

// Oracle: the parser, one step inside and outside of each bound that the schema names.
TEST_CASE("the schema's bounds are the parser's", "[experiment]") {
  const Json root = schema();
  int bounds = 0;
  for (const std::string path :
       {"seed", "data.target.limit.images", "data.target.limit.seed", "data.target.domain.min_images",
        "data.target.domain.prior_images", "data.target.frames.max", "data.target.shift.fog", "protocol.adapt",
        "modes.1.batch", "modes.1.prior_images", "modes.1.layers.first", "modes.1.layers.max_level",
        "evaluate.interval.resamples", "evaluate.interval.level"}) {
    INFO(path);
    const Json& value = property(root, path);
    const double step = value.at("type").as_string() == "integer" ? 1 : 1e-6;
    const auto taken = [&](double number) { return !written_with(path, text_of(Json(number))).empty(); };
    const auto whole = [&](std::int64_t number) { return !written_with(path, text_of(Json(number))).empty(); };
    for (const auto& [key, outwards] : {std::pair{"minimum", -1.0}, std::pair{"maximum", 1.0},
                                        std::pair{"exclusiveMinimum", -1.0}, std::pair{"exclusiveMaximum", 1.0}}) {
      const Json* bound = value.find(key);
      if (bound == nullptr) continue;
      ++bounds;
      INFO(key);
      const bool open = std::string_view(key).starts_with("exclusive");
      if (step == 1) {
        CHECK(whole(bound->as_integer()));
        CHECK_FALSE(whole(bound->as_integer() + static_cast<std::int64_t>(outwards)));
      } else {
        CHECK(taken(bound->as_number()) != open);
        CHECK(taken(bound->as_number() - outwards * step));
        CHECK_FALSE(taken(bound->as_number() + outwards * step));
      }
    }
  }
  CHECK(bounds == 19);
}

// Law: a default that is spelled out changes nothing.
TEST_CASE("the schema's defaults are the program's", "[experiment]") {
  const Json root = schema();
  const std::string usual = written_with("seed", "0");
  REQUIRE_FALSE(usual.empty());
  int defaults = 0;
  for (const std::string section :
       {"", "data.target", "data.target.domain", "protocol", "modes.1", "evaluate", "evaluate.interval", "export"}) {
    const Json& map = property(root, section);
    std::set<std::string> keys;
    add_keys(root, map, keys);
    for (const std::string& key : keys) {
      const std::string path = section.empty() ? key : fmt::format("{}.{}", section, key);
      const Json* value = property(root, path).find("default");
      // Of the three protocols one key's default goes with another kind, and shuffle's depends on the semantics.
      if (value == nullptr || path == "protocol.batch" || path == "modes.1.semantics") continue;
      INFO(path << " = " << text_of(*value));
      ++defaults;
      CHECK(written_with(path, text_of(*value)) == usual);
    }
  }
  CHECK(defaults >= 13);
}
