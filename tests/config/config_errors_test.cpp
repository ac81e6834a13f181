#include <catch2/catch.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/error.hpp"

namespace {

using shiftnorm::ConfigError;
using shiftnorm::config::ConfigOptions;
using shiftnorm::config::parse_config;

/// The text of the error that a configuration gives, or "" if it is taken.
std::string error_of(const std::string& yaml, const std::vector<std::string>& sets = {}) {
  try {
    (void)parse_config(yaml, "x.yaml", ConfigOptions{"", sets});
  } catch (const ConfigError& e) {
    return e.what();
  }
  return {};
}

/// A good configuration with one more line at its end: line 5.
std::string with(const std::string& line) {
  return "model: {checkpoint: a.pth, architecture: cifar_resnet20}\n"
         "preprocess: cifar10\n"
         "data: {target: {path: images}}\n"
         "modes: [source, adabn]\n" +
         line + "\n";
}

/// A good configuration with this in the place of its modes: line 2.
std::string with_modes(const std::string& modes) {
  return "model: {checkpoint: a.pth, architecture: cifar_resnet20}\nmodes: " + modes +
         "\ndata: {target: {path: images}}\n";
}

struct Case {
  std::string yaml, error;
};

}  // namespace

// Oracle: lines and columns counted by hand in the texts above, from 1.
TEST_CASE("what the YAML says wrongly is named with its place and the nearest key", "[experiment]") {
  const Case c = GENERATE(values<Case>({
      {with("evaluat: {}"), "x.yaml:5:1: evaluat is not a key; nearest is 'evaluate'"},
      {with("evaluate: {metric: [accuracy]}"), "x.yaml:5:12: evaluate.metric is not a key; nearest is 'metrics'"},
      {with("zzz: 1"),
       "x.yaml:5:1: zzz is not a key; "
       "expected one of name, seed, model, preprocess, data, protocol, modes, sweep, evaluate, export"},
      {with("seed: -1"), "x.yaml:5:7: seed = -1; expected an integer of at least 0"},
      {with("seed: 1.5"), "x.yaml:5:7: seed = 1.5; expected an integer of at least 0"},
      {with("seed: \"7\""), "x.yaml:5:7: seed = the text \"7\"; expected an integer of at least 0"},
      {with("seed: 7x"), "x.yaml:5:7: seed = 7x; expected an integer of at least 0"},
      {with("seed: 99999999999999999999"),
       "x.yaml:5:7: seed = 99999999999999999999; expected an integer of at least 0"},
      {with("seed: 1\nseed: 2"), "x.yaml:6:1: key 'seed' is given twice, first in line 5"},
      {with("name: a/b"), "x.yaml:5:7: name = a/b; expected a name for the run folder: at most 100 characters, no '/'"},
      {with("name: .."), "x.yaml:5:7: name = ..; expected a name for the run folder: at most 100 characters, no '/'"},
      {with("protocol: {kind: held_out, adapt: 1.5}"),
       "x.yaml:5:35: protocol.adapt = 1.5; expected a number in (0, 1)"},
      {with("evaluate: {interval: {level: 95}}"),
       "x.yaml:5:30: evaluate.interval.level = 95; expected a number in [0.5, 0.9999]"},
      {with("evaluate: {interval: {method: normal}}"),
       "x.yaml:5:31: evaluate.interval.method = normal; expected bootstrap or bca"},
      {with("evaluate: {metrics: [accuracy, accuracy]}"),
       "x.yaml:5:32: evaluate.metrics[1] repeats accuracy; expected it once"},
      {with("export: {mode: adabm, path: x}"),
       "x.yaml:5:9: export.mode = adabm names no mode; expected one of source, adabn"},
      {with("sweep: {seed: [1, 2]}"), "x.yaml:5:8: sweep makes several runs; expected one run here"},
      {with("export: &a {mode: adabn, path: *a}"),
       "x.yaml:5:32: an alias inside the value that it names; expected a value"},
      {with("seed: !!int 7"), "x.yaml:5:7: tag 'tag:yaml.org,2002:int'; tags are not allowed here"},
      {with("? [a, b]\n: 1"), "x.yaml:5:3: a key that is a list or a map; expected a name"},
      {with("seed: [1"), "x.yaml:6:1: not valid YAML: end of sequence flow not found"},
      {with("---\nseed: 1"), "x.yaml:5:1: a second document; expected one"},
      {"", "x.yaml:1:1: nothing; expected a map"},
      {"- a\n", "x.yaml:1:1: a list; expected a map"},
      {"model: {architecture: resnet18}\ndata: {target: {path: a}}\nmodes: [source]\n",
       "x.yaml:1:8: model.checkpoint is missing; expected it here"},
      {"model: {checkpoint: a}\ndata: {target: {path: a, limt: {images: 3}}}\nmodes: [source]\n",
       "x.yaml:2:26: data.target.limt is not a key; nearest is 'limit'"},
      {"model: {checkpoint: a}\ndata: {target: {path: a, limit: {images: 3, per_class: 2}}}\nmodes: [source]\n",
       "x.yaml:2:33: data.target.limit has both per_class and images; expected one of them"},
      {"model: {checkpoint: a}\ndata: {target: {path: a, where: scanner}}\nmodes: [source]\n",
       "x.yaml:2:33: data.target.where = scanner; expected a map of columns to lists of values"},
      {"model: {checkpoint: a}\ndata: {target: {path: a, layout: NXY}}\nmodes: [source]\n",
       "x.yaml:2:34: data.target.layout: NXY; "
       "expected N and then each axis once, of C (channels), T, L, D, H, W: NCHW, NHWC, NTC, NDHWC, NC"},
      {"model: {checkpoint: a}\ndata: {target: {path: a}, classes: [x, y, x]}\nmodes: [source]\n",
       "x.yaml:2:36: data.classes: 'x' is named twice; expected each class once"},
  }));
  CHECK(error_of(c.yaml) == c.error);
}

// Oracle: lines and columns counted by hand; bounds of docs/reference/estimators.md.
TEST_CASE("modes are refused with their place", "[experiment]") {
  const Case c = GENERATE(values<Case>({
      {with_modes("[{policy: adabn, batch: -5}]"),
       "x.yaml:2:32: modes[0].batch = -5; expected an integer from 1 to 1073741824"},
      {with_modes("[{policy: adabn, batch: 0}]"),
       "x.yaml:2:32: modes[0].batch = 0; expected an integer from 1 to 1073741824"},
      {with_modes("[source, source]"),
       "x.yaml:2:17: modes[1] has the name 'source' of an earlier mode; expected another (name: ...)"},
      {with_modes("[{name: mine}]"), ""},  // checked below: the list of policies belongs to adapt
      {with_modes("[{policy: adabn, shufle: off}]"), "x.yaml:2:25: modes[0].shufle is not a key; nearest is 'shuffle'"},
      {with_modes("[{policy: adabn, shuffle: some}]"),
       "x.yaml:2:34: modes[0].shuffle = some; expected on (the run's seed), off, or a seed of at least 0"},
      {with_modes("[{policy: blend, source_weight: 2}]"),
       "x.yaml:2:40: modes[0].source_weight = 2; expected a number in [0, 1]"},
      {with_modes("[{policy: blend, source_weight: nan}]"),
       "x.yaml:2:40: modes[0].source_weight = nan; expected a number in [0, 1]"},
      {with_modes("[{policy: adabn, layers: {first: 0}}]"),
       "x.yaml:2:41: modes[0].layers.first = 0; expected an integer of at least 1"},
      {with_modes("[]"), "x.yaml:2:8: modes = a list; expected a list of one or more"},
      {with_modes("[[adabn]]"), "x.yaml:2:9: modes[0] = a list; expected a policy's name or a map"},
  }));
  const std::string error = error_of(c.yaml);
  if (c.error.empty())
    CHECK(error.starts_with("x.yaml:2:9: modes[0].policy is missing; expected one of "));
  else
    CHECK(error == c.error);
}

// Oracle: places counted by hand, rules of docs/reference/estimators.md.
TEST_CASE("policies and combinations that adapt refuses carry the mode's place", "[experiment]") {
  CHECK(error_of(with_modes("[adabm]")).starts_with("x.yaml:2:9: modes[0]: "));
  CHECK(error_of(with_modes("[adabm]")).find("adabn") != std::string::npos);
  // docs/reference/estimators.md#estimators: `layerwise` goes with `population` only.
  CHECK(error_of(with_modes("[{policy: adabn, estimator: batch-mean}]")).starts_with("x.yaml:2:9: modes[0]: "));
  // docs/reference/estimators.md#policies: batch has no statistics that a file could hold.
  const std::string error =
      error_of("model: {checkpoint: a}\ndata: {target: {path: a}}\nmodes: [batch]\nexport: {mode: batch, path: x}\n");
  CHECK(
      error.starts_with("x.yaml:4:9: export.mode = batch has policy batch, whose statistics change with every batch"));
}

// Oracle: the path as it was given.
TEST_CASE("errors from --set name the option", "[experiment]") {
  CHECK(error_of(with(""), {"data.target.limt=3"}) ==
        "--set data.target.limt: data.target.limt is not a key; nearest is 'limit'");
  CHECK(error_of(with(""), {"seed=-1"}) == "--set seed: seed = -1; expected an integer of at least 0");
  CHECK(error_of(with(""), {"seed"}) == "--set seed: no '='; expected --set key.key=value");
  CHECK(error_of(with(""), {"modes.7=adabn"}) ==
        "--set modes.7: '7' indexes a list of 2; expected a number from 0 to 1");
  CHECK(error_of(with(""), {"seed.x=1", "seed=3"}).empty());  // the later one replaces the earlier
  CHECK(error_of(with("seed: 4"), {"seed.x=1"}) == "--set seed.x: 'x' is below 4; expected a map");
}

// Oracle: counted by hand: 10^10 values and 40 levels, above the limits of 20 000 and 32.
TEST_CASE("a small text cannot become a large tree", "[experiment]") {
  // Ten levels of ten aliases each: 10^10 values if they were followed.
  std::ostringstream bomb;
  bomb << "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    bomb << 'a' << i << ": &a" << i << " [*a" << i - 1;
    for (int k = 1; k < 10; ++k) bomb << ", *a" << i - 1;
    bomb << "]\n";
  }
  CHECK(error_of(bomb.str()).find("more than 20000 values, aliases counted") != std::string::npos);
  std::string deep = "a: ";
  deep.append(40, '[').append(40, ']');
  CHECK(error_of(deep).find("more than 32 levels of nesting") != std::string::npos);
}
