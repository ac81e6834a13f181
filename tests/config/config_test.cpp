#include "shiftnorm/config/config.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "shiftnorm/config/sweep.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/metrics/metrics.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using config::Config;
using config::parse_config;

namespace {

const char* const kSmall =
    "seed: 7\n"
    "model: {checkpoint: nets/a.pth, architecture: cifar_resnet20}\n"
    "preprocess: cifar10\n"
    "data: {target: {path: images, limit: {images: 20}}}\n"
    "modes:\n"
    "  - source\n"
    "  - {name: blend16, policy: blend, prior_images: 16}\n"
    "  - {name: update, policy: adabn, semantics: batch, estimator: batch-mean, batch: 50, shuffle: off}\n"
    "  - {name: shuffled, policy: adabn, semantics: batch, estimator: batch-mean}\n"
    "  - {policy: batch, batch: 8}\n"
    "  - {name: some, policy: adabn, layers: {include: 'layer1.*', exclude: [a, b], last: 3, min_level: 2}}\n"
    "export: {mode: update, path: out.pth}\n";

}  // namespace

// Oracle: the text above and the defaults of docs/guide.md and docs/reference/estimators.md.
TEST_CASE("a configuration is read with every default filled in", "[experiment]") {
  const Config c = parse_config(kSmall, "small.yaml", {"base", {}});
  CHECK(c.name == "small");  // the file's stem
  CHECK(c.seed == 7);
  CHECK(c.model.checkpoint == "base/nets/a.pth");
  CHECK(c.target.path == "base/images");
  CHECK(c.target.dataset.limit.images == 20);
  CHECK(c.target.dataset.limit.seed == 7);  // the run's
  REQUIRE(c.preprocess);
  CHECK(c.preprocess->name == "cifar10");
  CHECK(c.evaluate.metrics == std::vector<std::string>{"accuracy", "balanced_accuracy", "nll", "ece", "brier"});
  CHECK(c.evaluate.resamples == 2000);
  REQUIRE(c.exported);
  CHECK(c.exported->mode == "update");

  REQUIRE(c.modes.size() == 6);
  CHECK(c.modes[0].policy == adapt::Policy::source);
  CHECK(c.modes[1].prior_images == 16);
  CHECK_FALSE(c.modes[2].shuffle);    // said so
  CHECK(c.modes[3].shuffle == 7);     // docs/reference/estimators.md#batches-and-shuffling: by the run's seed
  CHECK(c.modes[4].name == "batch");  // named after its policy
  CHECK_FALSE(c.modes[4].shuffle);    // policy batch keeps arrival order
  CHECK(c.modes[4].batch == 8);
  CHECK(c.modes[5].layers.include == std::vector<std::string>{"layer1.*"});
  CHECK(c.modes[5].layers.exclude == std::vector<std::string>{"a", "b"});
  CHECK(c.modes[5].layers.last == 3);
  CHECK(c.modes[5].layers.min_level == 2);
}

// Oracle: the values that were set.
TEST_CASE("Overrides (--set) change the tree before it is checked, and their paths mean the working directory",
          "[experiment]") {
  const Config c = parse_config(
      kSmall, "small.yaml",
      {"base", {"seed=9", "data.target.path=here/x", "modes.2.batch=25", "evaluate.interval.level=0.9", "name=other"}});
  CHECK(c.seed == 9);
  CHECK(c.modes[3].shuffle == 9);
  CHECK(c.target.path == "here/x");
  CHECK(c.modes[2].batch == 25);
  CHECK(c.evaluate.level == 0.9);
  CHECK(c.name == "other");
}

// A law: what is written reads back as the same experiment, from the folder it was written for.
TEST_CASE("the resolved YAML is runnable again and says the same", "[experiment]") {
  const std::string text = GENERATE(std::string(kSmall), std::string(R"(
name: "null"
model: {checkpoint: /data/x y.pth, outputs: probabilities, weights: module.encoder_k, allow_unused: ["queue*", "7"]}
preprocess: [{resize: [20, 30], interpolation: bicubic, antialias: false}, {center_crop: 16}, {convert: L}, to_float: {scale: 1}, normalize: {mean: 0.5, std: [0.25]}]
data: {source: {path: b.npz#train}, target: {path: "b.npz#test", reader: array, layout: NHWC, limit: {per_class: 3}, shift: {fog: 2, gamma: 5}}, classes: ["7", yes, "a: b", 'é "q"']}
protocol: {kind: transductive}
modes: [{policy: blend, source_weight: 0.1}, {name: "#1", policy: adabn}]
evaluate: {metrics: [nll], interval: {method: bootstrap, resamples: 100, level: 0.68}}
)"),
                                    std::string(R"(
model: {checkpoint: x.pth, outputs: sigmoid}
data: {target: {path: archive, ids: hash, labels: t.csv, key: StudyInstanceUID, label: [Edema, Nodule], patient: who}}
protocol: {kind: held_out, adapt: 0.3, by: patient}
modes: [adabn]
evaluate: {subgroups: [ViewPosition, scanner], interval: {by: who}}
export: {mode: adabn, path: a.pth, allow_small_cohort: true}
)"),
                                    std::string(R"(
model: {checkpoint: x.pth}
data: {target: {path: archive, label: {tag: PatientSex, map: {M: 1, "F:": "yes", "a b": zwei}}}, source: {path: s, label: {tag: Modality}}}
protocol: {kind: held_out}
modes: [adabn]
)"),
                                    std::string(R"(
model: {checkpoint: x.pth}
data: {target: {path: archive}}
protocol: {kind: streaming, batch: 16}
modes: [adabn]
)"));
  const Config first = parse_config(text, "round.yaml", {"base", {}});
  const std::string written = config::resolved_yaml(first, "runs/round");
  INFO(written);
  const Config second = parse_config(written, "config.yaml", {"runs/round", {}});
  CHECK(config::resolved_yaml(second, "runs/round") == written);
  CHECK(second.name == first.name);
  CHECK(second.seed == first.seed);
  CHECK(second.modes == first.modes);
  CHECK(second.classes == first.classes);
  CHECK(second.target.dataset.layout == first.target.dataset.layout);
  CHECK(second.target.shifts == first.target.shifts);
  CHECK(second.target.path.lexically_normal() == first.target.path.lexically_normal());
  CHECK(second.model.checkpoint.lexically_normal() == first.model.checkpoint.lexically_normal());
  CHECK(second.evaluate.metrics == first.evaluate.metrics);
  CHECK(second.evaluate.level == first.evaluate.level);
  CHECK(second.evaluate.by == first.evaluate.by);
  CHECK(second.evaluate.subgroups == first.evaluate.subgroups);
  CHECK(second.protocol.kind == first.protocol.kind);
  CHECK(second.protocol.adapt == first.protocol.adapt);
  CHECK(second.protocol.by == first.protocol.by);
  CHECK(second.protocol.batch == first.protocol.batch);
  CHECK(second.target.dataset.labels.findings == first.target.dataset.labels.findings);
  CHECK(second.target.dataset.dicom.label.tag == first.target.dataset.dicom.label.tag);
  CHECK(second.target.dataset.dicom.label.map == first.target.dataset.dicom.label.map);
  CHECK(second.target.dataset.ids == first.target.dataset.ids);
  CHECK(second.model.outputs == first.model.outputs);
  CHECK(second.model.weights == first.model.weights);
  CHECK(second.model.allow_unused == first.model.allow_unused);
  REQUIRE(second.preprocess.has_value() == first.preprocess.has_value());
  if (first.preprocess) CHECK(imaging::canonical(*second.preprocess) == imaging::canonical(*first.preprocess));
}

// Law: what the project ships is accepted by its own parser.
TEST_CASE("the shipped experiments are valid", "[experiment]") {
  for (const auto& entry : std::filesystem::directory_iterator(test::source_root() / "configs")) {
    if (entry.path().extension() != ".yaml") continue;
    INFO(entry.path().filename());
    CHECK_NOTHROW(config::read_sweep(entry.path(), {}));
  }
}

// Oracle: the run's seed, 7, and YAML 1.1's words for true and false.
TEST_CASE("batches are shuffled on request, by the run's seed", "[experiment]") {
  const auto shuffle = [](const std::string& value) {
    return parse_config(
               "seed: 7\nmodel: {checkpoint: a}\ndata: {target: {path: a}}\n"
               "modes: [{policy: adabn, semantics: batch, shuffle: " +
                   value + "}]\n",
               "x.yaml", {})
        .modes.at(0)
        .shuffle;
  };
  for (const char* on : {"on", "true", "yes", "'on'", "7"}) CHECK(shuffle(on) == 7);
  for (const char* off : {"off", "false", "no", "'off'"}) CHECK_FALSE(shuffle(off));
}

// Oracle: the steps that were written to the file.
TEST_CASE("a preprocessing may be a file of steps, and what the run keeps holds the steps", "[experiment]") {
  const test::TempDir dir;
  write_file(dir.path() / "steps.yaml", std::string("- {convert: RGB}\n- {to_float: {scale: 255}}\n"));
  const auto config = [&](const std::string& value, std::vector<std::string> sets = {}) {
    return parse_config(
        "model: {checkpoint: a}\npreprocess: " + value + "\ndata: {target: {path: a}}\nmodes: [source]\n", "x.yaml",
        {dir.path(), std::move(sets)});
  };
  const Config read = config("steps.yaml");
  CHECK(read.preprocess->name == "custom");
  CHECK(read.preprocess->steps.size() == 2);
  CHECK_THAT(resolved_yaml(read, "/runs"),
             Catch::Matchers::Contains("convert: RGB") && !Catch::Matchers::Contains("steps.yaml"));
  CHECK(config("cifar10", {"preprocess=" + (dir.path() / "steps.yaml").string()}).preprocess->steps.size() == 2);
  write_file(dir.path() / "named.yml", std::string("imagenet\n"));
  CHECK(config("named.yml").preprocess->name == "imagenet");
  write_file(dir.path() / "chained.yaml", std::string("named.yml\n"));
  CHECK_THROWS_WITH(config("chained.yaml"), Catch::Matchers::Contains("preset 'named.yml' is unknown"));
  CHECK_THROWS_WITH(config("gone.yaml"), Catch::Matchers::Contains("preprocess = gone.yaml; expected a YAML file of "
                                                                   "steps that is there"));
  CHECK_THROWS_WITH(config("imagnet"), Catch::Matchers::Contains("did you mean 'imagenet'"));
}

// Oracle: the values in the text; round trip through the resolved YAML.
TEST_CASE("a label in YAML may be a column to take apart", "[experiment]") {
  const auto config = [](const std::string& label) {
    return parse_config(
        "model: {checkpoint: a}\ndata: {target: {path: a, labels: t.csv, label: " + label + "}}\nmodes: [source]\n",
        "x.yaml", {"/root", {}});
  };
  const Config c = config("{column: Finding Labels, split: '|', none: No Finding}");
  CHECK(c.target.dataset.labels.label == "Finding Labels");
  CHECK(c.target.dataset.labels.split == "|");
  CHECK(c.target.dataset.labels.none == std::vector<std::string>{"No Finding"});
  CHECK(c.evaluate.metrics == config::default_metrics(true));
  const Config again = parse_config(resolved_yaml(c, "/root"), "x.yaml", {"/root", {}});
  CHECK(again.target.dataset.labels.split == "|");
  CHECK(again.target.dataset.labels.none == c.target.dataset.labels.none);
  CHECK_THROWS_WITH(config("{column: x}"), Catch::Matchers::Contains("has neither tag nor split"));
  CHECK_THROWS_WITH(config("{tag: t, split: x}"), Catch::Matchers::Contains("has split beside a tag"));
  CHECK_THROWS_WITH(config("{map: {a: b}}"), Catch::Matchers::Contains("label.tag is missing"));
}

// Oracle: the place, counted by hand.
TEST_CASE("a class named twice is refused wherever classes are named", "[experiment]") {
  const test::TempDir dir;
  write_file(dir.path() / "names.txt", std::string("a\nb\r\na\n"));
  CHECK_THROWS_WITH(config::read_classes(dir.path() / "names.txt"),
                    "names.txt: 'a' is named twice; expected each class once");
  const auto config = [&](const std::string& classes) {
    return parse_config(
        "model: {checkpoint: a}\ndata: {target: {path: a}, classes: " + classes + "}\nmodes: [source]\n", "x.yaml",
        {dir.path(), {}});
  };
  CHECK_THROWS_WITH(config("[x, y, x]"), Catch::Matchers::Contains("x.yaml:2:36: data.classes: 'x' is named twice"));
  CHECK_THROWS_WITH(config("names.txt"), Catch::Matchers::Contains("'a' is named twice"));
}

// Oracle: the lines that were written.
TEST_CASE("class names come from a file, one per line", "[experiment]") {
  const test::TempDir dir;
  write_file(dir.path() / "classes.txt", "cat\r\n\nbig dog\n");
  CHECK(config::read_classes(dir.path() / "classes.txt") == std::vector<std::string>{"cat", "big dog"});
  write_file(dir.path() / "empty.txt", "\n");
  CHECK_THROWS_WITH(config::read_classes(dir.path() / "empty.txt"), "empty.txt: no class names; expected one per line");
}

// Law: no part of a path but the last leaves: neither the folder nor the person's name in it.
TEST_CASE("the shareable YAML names no folder", "[experiment]") {
  const Config c =
      parse_config(kSmall, "small.yaml", {"/home/Jane Doe/studies", {"data.target.path=/mnt/Jane Doe/x/"}});
  const std::string text = config::shareable_yaml(c);
  CHECK_THAT(text, !Catch::Matchers::Contains("Jane") && !Catch::Matchers::Contains("studies"));
  CHECK_THAT(text, Catch::Matchers::Contains("checkpoint: a.pth") && Catch::Matchers::Contains("path: x"));
}

// Law: no value that may identify anybody leaves (docs/reference/dicom.md#privacy); labels keep their classes.
TEST_CASE("the YAML for data of patients names no place, table or person", "[experiment]") {
  const Config c = parse_config(R"(
model: {checkpoint: /home/Jane/a.pth}
data:
  source: {path: Jane/s, labels: Jane.csv, where: {scanner: Jane, Modality: [CR, DX]}}
  target: {path: Jane/x, label: {tag: InstitutionName, map: {Jane: b, Ward: a}}}
modes: [source]
)",
                                "x.yaml", {"/studies", {}});
  const std::string text = config::anonymous_yaml(c);
  INFO(text);
  CHECK_THAT(text, !Catch::Matchers::Contains("Jane") && !Catch::Matchers::Contains("studies") &&
                       !Catch::Matchers::Contains("Ward"));
  CHECK_THAT(text, Catch::Matchers::Contains("checkpoint: a.pth") && Catch::Matchers::Contains("Modality: [CR, DX]") &&
                       Catch::Matchers::Contains("scanner: [kept-back]"));
  const Config again = parse_config(text, "config.yaml", {"/run", {}});
  CHECK(again.target.path == "/run/kept-back");
  CHECK(again.target.dataset.dicom.label.map ==
        std::map<std::string, std::string>{{"kept-back-1", "b"}, {"kept-back-2", "a"}});
}

// Oracle: decision 0023.
TEST_CASE("a configuration belongs to the project that has a key", "[experiment]") {
  const test::TempDir dir;
  const auto of = [&](const std::filesystem::path& folder) {
    return parse_config(kSmall, "x.yaml", {folder, {}}).target.dataset.key_folder;
  };
  std::filesystem::create_directories(dir.path() / "configs" / ".shiftnorm");
  write_file(dir.path() / "configs" / ".shiftnorm" / "key", "");
  CHECK(of(dir.path() / "configs") == dir.path() / "configs");
  CHECK(std::filesystem::equivalent(of(dir.path() / ".shiftnorm" / "runs"), dir.path()));
}

// Oracle: the place, counted by hand; severities are 1 to 5.
TEST_CASE("A shift that is not known or too severe is refused with its place", "[experiment]") {
  const auto with = [](const std::string& shift) {
    return "model: {checkpoint: a, architecture: cifar_resnet20}\npreprocess: cifar10\n"
           "data: {target: {path: c, shift: " +
           shift + "}}\nmodes: [source]\n";
  };
  const auto config = [&](const std::string& shift) { return parse_config(with(shift), "x.yaml", {}); };
  CHECK(config("{fog: 2, gamma: 5}").target.shifts == std::vector<imaging::Shift>{{"fog", 2}, {"gamma", 5}});
  CHECK_THROWS_WITH(config("{snow: 6}"), "x.yaml:3:40: data.target.shift.snow = 6; expected an integer from 1 to 5");
  CHECK_THROWS_WITH(config("{snowe: 1}"), Catch::Matchers::StartsWith("x.yaml:3:41: data.target.shift.snowe: shift ") &&
                                              Catch::Matchers::EndsWith("nearest: snow"));
  CHECK_THROWS_WITH(config("fog"),
                    "x.yaml:3:33: data.target.shift = fog; expected shifts with their severities, e.g. "
                    "{gaussian_noise: 3}");
}

// Worked by hand.
TEST_CASE("settings are the leaves of a configuration", "[experiment]") {
  CHECK(config::settings_of("a: {b: 1, c: [x, y]}\nmodes: [{name: m}, n: 2]\n") ==
        std::vector<std::pair<std::string, std::string>>{
            {"a.b", "1"}, {"a.c", "x, y"}, {"modes.0.name", "m"}, {"modes.1.n", "2"}});
}

// Oracle: the texts that run ids were made of before sections were tables of values: a folder has no hash, and so an
// empty path in them.
TEST_CASE("a required key is written even where it is empty", "[experiment]") {
  const shiftnorm::config::Config config = shiftnorm::config::parse_config(
      "model: {checkpoint: a}\ndata: {target: {path: b}}\nmodes: [source]\n", "x.yaml", {});
  const std::string text =
      shiftnorm::config::yaml_with_paths(config, [](const std::filesystem::path&) { return std::filesystem::path(); });
  CHECK_THAT(text, Catch::Matchers::Contains("checkpoint: \"\"\n"));
  CHECK_THAT(text, Catch::Matchers::Contains("path: \"\"\n"));
}
