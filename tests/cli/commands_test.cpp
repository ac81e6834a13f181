#include <catch2/catch.hpp>
#include <csignal>
#include <string>
#include <vector>

#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"

using namespace shiftnorm;
using container::Json;
using test::Call;

namespace {

std::vector<std::string> job(const std::string& command, std::vector<std::string> more) {
  std::vector<std::string> arguments{command,  "net.safetensors", "--arch",       "cifar_resnet20",
                                     "--data", "images",          "--preprocess", "cifar10"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace

// Law: the configuration of a run gives the run again.
TEST_CASE("run leaves a whole run folder whose configuration runs again to the same scores", "[cli]") {
  const test::Workplace place;
  place.write_yaml("small.yaml", "[source, adabn, disabled, {policy: batch, batch: 5}]",
                   "export: {mode: adabn, path: out/adapted.safetensors}\n");
  const Call call = test::shiftnorm(place.path(), {"run", "small.yaml", "--json"});
  const Json results = json_of(call);
  CHECK(results.at("schema").as_integer() == 1);
  CHECK(results.at("name").as_string() == "small");
  CHECK(results.at("modes").as_array().size() == 4);
  std::vector<std::string> kept = test::files_below(place / "runs");
  // One picture per metric, and per mode and kind: their names are the page's business.
  CHECK(std::erase_if(kept, [](const std::string& file) { return file.starts_with("small/figures/"); }) > 10);
  CHECK(kept == std::vector<std::string>{"runs.sqlite", "small", "small/config.yaml", "small/figures", "small/out",
                                         "small/out/adapted.safetensors",
                                         "small/out/adapted.safetensors.provenance.json", "small/predictions.csv",
                                         "small/quarantine.csv", "small/report.html", "small/results.json",
                                         "small/run.log", "small/stats", "small/stats/adabn.bnstats"});
  const Json stored = container::parse_json(as_text(read_file(place / "runs" / "small" / "results.json")));
  CHECK(stored == results);

  const Json again = json_of(
      test::shiftnorm(place.path(), {"run", "runs/small/config.yaml", "--json", "--threads", "1", "--out", "again"}));
  const auto& before = results.at("modes").as_array();
  for (std::size_t i = 0; i < before.size(); ++i)
    CHECK(again.at("modes").as_array().at(i).at("metrics") == before[i].at("metrics"));
  // The folder that was there is replaced file by file; nothing else appears.
  const std::vector<std::string> files = test::files_below(place.path());
  CHECK(test::shiftnorm(place.path(), {"run", "small.yaml", "--quiet"}).exit == 0);
  CHECK(test::files_below(place.path()) == files);
}

// Law: all bytes but the statistics' are the original's.
TEST_CASE("recalibrate writes the same format, differing in statistics alone, also over the original", "[cli]") {
  const test::Workplace place;
  const std::vector<std::byte> original = read_file(place / "net.safetensors");
  const Json json =
      json_of(test::shiftnorm(place.path(), job("recalibrate", {"--out", "adapted.safetensors", "--json"})));
  CHECK(json.at("images").as_integer() == 20);
  CHECK(json.at("bad").as_integer() == 0);
  CHECK(json.at("seconds").at("adapt").as_number() > 0);
  CHECK(json.at("images_per_second").as_number() == Approx(20 / json.at("seconds").at("adapt").as_number()));
  CHECK(json.at("outputs").at("adapted").as_string() == "adapted.safetensors");

  const std::vector<std::byte> adapted = read_file(place / "adapted.safetensors");
  const auto before = container::read_safetensors(original), after = container::read_safetensors(adapted);
  REQUIRE(before.size() == after.size());
  CHECK(adapted.size() == original.size());
  int changed = 0;
  for (const auto& [name, array] : before) {
    const bool same = std::ranges::equal(array.bytes(), after.at(name).bytes());
    const bool statistic = name.ends_with("running_mean") || name.ends_with("running_var");
    INFO(name);
    CHECK(same != statistic);
    changed += same ? 0 : 1;
  }
  CHECK(changed == 38);  // 19 BatchNorms, two vectors each
  const Json provenance = container::parse_json(as_text(read_file(place / "adapted.safetensors.provenance.json")));
  CHECK(provenance.at("source_sha256").as_string() == sha256_hex(original));
  CHECK(provenance.at("adapted_sha256").as_string() == sha256_hex(adapted));

  CHECK(test::shiftnorm(place.path(), job("recalibrate", {"--out", "net.safetensors", "--quiet"})).exit == 0);
  CHECK(read_file(place / "net.safetensors") == adapted);
}

// Law: threads and order change no bit.
TEST_CASE("statistics do not depend on threads or on the order of the images", "[cli]") {
  const test::Workplace place;
  CHECK(test::shiftnorm(place.path(), job("recalibrate", {"--out", "one", "--threads", "1", "--quiet"})).exit == 0);
  CHECK(test::shiftnorm(place.path(), job("recalibrate", {"--out", "four", "--threads", "4", "--quiet"})).exit == 0);
  CHECK(read_file(place / "one") == read_file(place / "four"));
  // The same images without class folders, named so that their order reverses.
  std::filesystem::create_directory(place / "reversed");
  int number = 99;
  for (const std::string& file : test::files_below(place / "images"))
    if (file.ends_with(".bmp"))
      std::filesystem::copy_file(place / "images" / file, place / "reversed" / (std::to_string(number--) + ".bmp"));
  CHECK(test::shiftnorm(place.path(), {"recalibrate", "net.safetensors", "--arch", "cifar_resnet20", "--data",
                                       "reversed", "--preprocess", "cifar10", "--out", "back", "--quiet"})
            .exit == 0);
  CHECK(read_file(place / "one") == read_file(place / "back"));
}

// Oracle: predictions.csv and the outputs are of the same images; a share lies in [0, 1].
TEST_CASE("evaluate scores one mode and writes outputs and predictions", "[cli]") {
  const test::Workplace place;
  const Json json = json_of(test::shiftnorm(
      place.path(),
      job("evaluate", {"--mode", "adabn", "--json", "--outputs", "o.safetensors", "--predictions", "p.csv"})));
  CHECK(json.at("metrics").at("accuracy").at("value").as_number() >= 0);
  CHECK(json.at("metrics").at("accuracy").at("high").as_number() <= 1);
  CHECK(json.at("outputs").at("predictions").as_string() == "p.csv");

  const std::vector<std::byte> file = read_file(place / "o.safetensors");
  const container::SafetensorsIndex index = container::index_safetensors(file);
  REQUIRE(index.entries.size() == 1);
  CHECK(index.entries[0].shape == Shape{20, 10});
  const Json ids = container::parse_json(index.metadata.at("ids"));
  REQUIRE(ids.as_array().size() == 20);
  CHECK(ids.as_array()[0].as_string() == "a/0.bmp");
  const std::string csv(as_text(read_file(place / "p.csv")));
  CHECK(csv.starts_with("id,label,mode,predicted,p_0,"));
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 21);

  // A recalibrated file under `source` is the original under `adabn`.
  CHECK(test::shiftnorm(place.path(), job("recalibrate", {"--out", "net.safetensors", "--quiet"})).exit == 0);
  CHECK(test::shiftnorm(place.path(), {"evaluate", "net.safetensors", "--arch", "cifar_resnet20", "--data", "images",
                                       "--outputs", "s.safetensors", "--quiet"})
            .exit == 0);
  const std::vector<float> adapted = container::read_safetensors(file).begin()->second.to_float();
  const std::vector<float> source =
      container::read_safetensors(read_file(place / "s.safetensors")).begin()->second.to_float();
  REQUIRE(source.size() == adapted.size());
  // 2e-3: statistics were rounded to the file's float32 (docs/reference/test-data.md#golden-values allows logits that).
  for (std::size_t i = 0; i < source.size(); ++i) CHECK(source[i] == Approx(adapted[i]).margin(2e-3));
}

// Law: without labels there is no accuracy; the largest of ten probabilities is 0.1 or more.
TEST_CASE("evaluate without labels tells confidence and entropy", "[cli]") {
  const test::Workplace place;
  const Json json = json_of(test::shiftnorm(place.path(), {"evaluate", "net.safetensors", "--arch", "cifar_resnet20",
                                                           "--data", "images/a", "--preprocess", "cifar10", "--json"}));
  CHECK(json.at("metrics").find("accuracy") == nullptr);
  CHECK(json.at("metrics").at("confidence").at("value").as_number() >= 0.1);
}

// Oracle: ResNet-20: 269 722 parameters, 19 BatchNorms.
TEST_CASE("inspect tells a checkpoint from data", "[cli]") {
  const test::Workplace place;
  const Json bare = json_of(test::shiftnorm(place.path(), {"inspect", "net.safetensors", "--json"}));
  CHECK(bare.at("format").as_string() == "safetensors");
  CHECK(bare.at("parameters").as_integer() == 269722);
  REQUIRE(bare.at("batchnorms").as_array().size() == 19);
  CHECK(bare.at("batchnorms").as_array()[0].at("level").is_null());
  const Json known =
      json_of(test::shiftnorm(place.path(), {"inspect", "net.safetensors", "--arch", "cifar_resnet20", "--json"}));
  CHECK(known.at("batchnorms").as_array()[0].at("name").as_string() == "bn1");
  CHECK(known.at("batchnorms").as_array()[0].at("level").as_integer() == 1);
  CHECK(known.at("batchnorms").as_array()[0].at("epsilon").as_number() == Approx(1e-5));
  CHECK(known.at("batchnorms").as_array()[18].at("level").as_integer() == 19);

  write_file(place / "images" / "a" / "notes.jpg", "not an image\n");
  write_file(place / "images" / "README.txt", "about these images\n");
  const Json data = json_of(test::shiftnorm(place.path(), {"inspect", "images", "--pixels", "--json"}));
  CHECK(data.at("counts").at("images").as_integer() == 20);
  CHECK(data.at("counts").at("bad").as_integer() == 1);
  CHECK(data.at("counts").at("classes").at("a").as_integer() == 2);
  CHECK(data.at("counts").at("formats").at("bmp").as_integer() == 20);
  CHECK(data.at("pixels").as_array().size() == 21);
  const Json& first = data.at("pixels").as_array()[0];
  CHECK(first.at("id").as_string() == "a/0.bmp");
  CHECK(first.at("dtype").as_string() == "uint8");
  CHECK(first.at("sha256_stored").as_string().size() == 64);
}

// Law: what init writes, run accepts; a file that is there stays.
TEST_CASE("every template of init is valid and never overwrites", "[cli]") {
  const test::Workplace place;
  const std::string name = GENERATE("imagenet", "dicom", "cifar10");
  CHECK(test::shiftnorm(place.path(), {"init", name}).exit == 0);
  const Call dry = test::shiftnorm(place.path(), {"run", name + ".yaml", "--dry-run"});
  INFO(dry.err);
  CHECK(dry.exit == 0);
  CHECK(dry.out.starts_with("name: "));
  CHECK_FALSE(std::filesystem::exists(place / "runs"));
  const Call twice = test::shiftnorm(place.path(), {"init", name});
  CHECK(twice.exit == 2);
  CHECK_THAT(twice.err, Catch::Matchers::Contains("exists already"));
}

// Oracle: JSON Schema draft 7, which the text names; config_test compares it with configs/schema.json.
TEST_CASE("init writes the schema of the YAML for editors", "[cli]") {
  const test::TempDir dir;
  const Call shown = test::shiftnorm(dir.path(), {"init", "--schema", "--out", "-"});
  const Json schema = json_of(shown);
  CHECK(schema.at("$schema").as_string() == "http://json-schema.org/draft-07/schema#");
  CHECK(schema.at("properties").find("modes") != nullptr);
  const Json told = json_of(test::shiftnorm(dir.path(), {"init", "--schema", "--json"}));
  CHECK(told.at("outputs").at("schema").as_string() == "schema.json");
  CHECK(std::string(as_text(read_file(dir.path() / "schema.json"))) == shown.out);
  const Call twice = test::shiftnorm(dir.path(), {"init", "--schema"});
  CHECK(twice.exit == 2);
  CHECK_THAT(twice.err, Catch::Matchers::Contains("exists already"));
  CHECK(test::shiftnorm(dir.path(), {"init", "--schema", "--force"}).exit == 0);
  const Call both = test::shiftnorm(dir.path(), {"init", "dicom", "--schema"});
  CHECK(both.exit == 2);
  CHECK_THAT(both.err, Catch::Matchers::Contains("expected one of them"));
}

// Oracle: docs/reference/command-line.md, exit codes.
TEST_CASE("Ctrl-C ends with 130 and leaves nothing", "[cli]") {
  const int signal = GENERATE(SIGINT, SIGTERM, SIGHUP);
  CAPTURE(signal);
  const test::Workplace place(200);
  place.write_yaml("long.yaml", "[source, adabn, {policy: blend, prior_images: 4}, disabled, identity]");
  const std::vector<std::string> before = test::files_below(place.path());
  const Call call = test::shiftnorm_signalled(place.path(), {"run", "long.yaml"}, signal, "5 modes, seed 3");
  CHECK(call.exit == 130);
  CHECK_THAT(call.err, Catch::Matchers::Contains("shiftnorm: interrupted; nothing was written"));
  CHECK(test::files_below(place.path()) == before);
}
