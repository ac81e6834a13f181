#include <catch2/catch.hpp>
#include <cmath>

#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/file.hpp"
#include "support/near.hpp"

using namespace shiftnorm;
using container::Json;

namespace {

/// The workplace's network as ONNX with its BatchNorms folded away.
void write_folded(const test::Workplace& place) {
  done(place, {"export", "net.safetensors", "--arch", "cifar_resnet20", "--fold", "--out", "f.onnx"});
}

std::vector<std::string> on_images(std::vector<std::string> first, const std::vector<std::string>& more) {
  first.insert(first.end(), {"--data", "images", "--preprocess", "cifar10"});
  first.insert(first.end(), more.begin(), more.end());
  return first;
}

std::vector<float> outputs(const test::Workplace& place, const std::string& checkpoint) {
  done(place, on_images({"evaluate", checkpoint}, {"--outputs", "y.safetensors", "--quiet"}));
  return container::read_safetensors(read_file(place / "y.safetensors")).begin()->second.to_float();
}

}  // namespace

// Oracle: a law. Where the source sample is the target itself, every layer has its source statistics already, so that
// recalibration leaves the network what it was; 1e-3 of the largest output for weights rounded once more to float32.
TEST_CASE("a folded network is recalibrated from a source sample", "[cli]") {
  const test::Workplace place;
  write_folded(place);
  done(place, on_images({"recalibrate", "f.onnx"}, {"--source-data", "images", "--out", "same.onnx", "--quiet"}));
  const std::vector<float> before = outputs(place, "f.onnx"), same = outputs(place, "same.onnx");
  REQUIRE(before.size() == 200);
  CHECK_THAT(test::as_doubles(same), test::near_largest(before, 1e-3));
  CHECK(read_file(place / "same.onnx") != read_file(place / "f.onnx"));

  // Other images: the network changes, in place, and the provenance says what it was measured on.
  std::filesystem::create_directories(place / "sample");
  for (int i = 0; i < 4; ++i)
    test::write_bmp(place / ("sample/" + std::to_string(i) + ".bmp"), 32, 32, static_cast<unsigned>(700 + i));
  done(place, on_images({"recalibrate", "f.onnx"}, {"--source-data", "sample", "--out", "other.onnx"}));
  CHECK(outputs(place, "other.onnx") != before);
  CHECK(std::filesystem::file_size(place / "other.onnx") == std::filesystem::file_size(place / "f.onnx"));
  const Json provenance = container::parse_json(as_text(read_file(place / "other.onnx.provenance.json")));
  CHECK(provenance.at("source_sample").at("images").as_integer() == 4);
}

// Oracle: ResNet-20's layers before they were folded.
TEST_CASE("inspect lists the layers that were folded away", "[cli]") {
  const test::Workplace place;
  write_folded(place);
  const Json document = container::parse_json(done(place, {"inspect", "f.onnx", "--json"}).out);
  const auto& layers = document.at("batchnorms").as_array();
  REQUIRE(layers.size() == 19);
  CHECK(layers[2].at("name").as_string() == "layer1.0.conv2");
  CHECK(layers[2].at("statistics").as_string() == "folded");
  CHECK(layers[2].at("level").as_integer() == 3);
  CHECK(layers[2].at("epsilon").is_null());
}

// Law: as above, where the sample is the target nothing changes.
TEST_CASE("an experiment runs on a folded network with data.source", "[cli]") {
  const test::Workplace place;
  write_folded(place);
  write_file(place / "e.yaml",
             "seed: 3\nmodel: {checkpoint: f.onnx}\npreprocess: cifar10\n"
             "data: {target: {path: images}, source: {path: images, limit: {per_class: 1}}}\n"
             "modes: [source, adabn, {policy: blend, prior_images: 16}]\nevaluate: {interval: {resamples: 200}}\n"
             "export: {mode: blend, path: adapted.onnx}\n");
  done(place, {"run", "e.yaml", "--out", "run", "--quiet"});
  const Json results = container::parse_json(as_text(read_file(place / "run/results.json")));
  CHECK(results.at("model").at("batchnorms").as_integer() == 19);
  CHECK(results.at("modes").as_array().size() == 3);
  CHECK(std::filesystem::exists(place / "run/stats/adabn.bnstats"));
  CHECK(std::filesystem::exists(place / "run/adapted.onnx"));
}

// Oracle: copies made here. Whose statistics were measured on what is scored is not held out.
TEST_CASE("a source sample that the target has too is told, and refused where images are held out", "[cli]") {
  const test::Workplace place;
  write_folded(place);
  write_file(place / "e.yaml",
             "seed: 3\nmodel: {checkpoint: f.onnx}\npreprocess: cifar10\n"
             "data: {target: {path: images}, source: {path: sample}}\n"
             "modes: [source, adabn]\nevaluate: {interval: {resamples: 200}}\n");
  for (int i = 0; i < 4; ++i) {
    const std::string folder = "sample/" + std::string(1, static_cast<char>('a' + i));
    std::filesystem::create_directories(place / folder);
    test::write_bmp(place / (folder + "/0.bmp"), 32, 32, static_cast<unsigned>(5000 + i));
  }
  const test::Call apart = done(place, {"run", "e.yaml", "--out", "apart", "--set", "protocol.kind=held_out"});
  CHECK_THAT(apart.err, !Catch::Matchers::Contains("in common"));
  for (char c = 'a'; c <= 'j'; ++c)
    for (const char* file : {"0.bmp", "1.bmp"})
      std::filesystem::copy(place / ("images/" + std::string(1, c)) / file,
                            place / ("sample/" + std::string(1, c == 'a' || c > 'd' ? 'a' : c) + "/" + c + file));
  const test::Call shared = done(place, {"run", "e.yaml", "--out", "shared"});
  CHECK_THAT(shared.err, Catch::Matchers::Contains("source and target have 0 patients and the pixels of 20 images"));
  test::check_refused(place, {"run", "e.yaml", "--out", "split", "--quiet", "--set", "protocol.kind=held_out"}, 2,
                      "data.source: 10 of the images that protocol held_out scores");
  // A network with its own statistics learns nothing from it but how sure it may be.
  const test::Call whole = done(place, {"run", "e.yaml", "--out", "whole", "--set", "protocol.kind=held_out", "--set",
                                        "model={checkpoint: net.safetensors, architecture: cifar_resnet20}"});
  CHECK_THAT(whole.err, Catch::Matchers::Contains("the pixels of 20 images in common"));
}

// Oracle: docs/reference/estimators.md#folded-networks.
TEST_CASE("what a folded network does not allow is told before any image is read", "[cli]") {
  const test::Workplace place;
  write_folded(place);
  const auto recalibrate = [](std::vector<std::string> more) {
    more.insert(more.end(), {"--out", "x.onnx"});
    return on_images({"recalibrate", "f.onnx"}, more);
  };
  test::check_refused(place, recalibrate({}), 3, "f.onnx: its BatchNorms were folded into 19 convolutions (conv1, ");
  test::check_refused(place, recalibrate({"--source-data", "images", "--policy", "disabled"}), 2,
                      "f.onnx: policy disabled removes parts of a BatchNorm");
  done(place, on_images({"recalibrate", "net.safetensors", "--arch", "cifar_resnet20"},
                        {"--stats-out", "s.bnstats", "--out", "x.safetensors", "--quiet"}));
  test::check_refused(place, {"export", "f.onnx", "--stats", "s.bnstats", "--out", "x.onnx"}, 2, "--stats: ");
  test::check_refused(place, recalibrate({"--source-data", "nowhere"}), 3, "nowhere: no such file or folder");
}

// A class folder alone is one class; two classes of ten are too few as well; the even mixture is not warned of.
// Oracle: the classes put into the sample: one, two, or all ten.
TEST_CASE("a source sample of few classes is warned of", "[cli]") {
  const test::Workplace place;
  write_folded(place);
  const auto warning = [&](const std::string& where) {
    return done(place, on_images({"recalibrate", "f.onnx"}, {"--source-data", where, "--out", "x.onnx"})).err;
  };
  for (const int classes : {1, 2}) {
    const std::string where = "few" + std::to_string(classes);
    for (int c = 0; c < classes; ++c) {
      std::filesystem::create_directories(place / (where + "/" + std::to_string(c)));
      for (int i = 0; i < 6; ++i)
        test::write_bmp(place / (where + "/" + std::to_string(c) + "/" + std::to_string(i) + ".bmp"), 32, 32,
                        static_cast<unsigned>(50 * c + i));
    }
    CHECK_THAT(warning(where), Catch::Matchers::Contains("the source sample leans towards few classes: 6 of " +
                                                         std::to_string(6 * classes) + " images are of class '0'"));
  }
  CHECK_THAT(warning("images"), !Catch::Matchers::Contains("leans towards few classes"));
  CHECK_THAT(done(place, {"recalibrate", "net.safetensors", "--arch", "cifar_resnet20", "--data", "images",
                          "--preprocess", "cifar10", "--source-data", "images", "--out", "x.safetensors"})
                 .err,
             Catch::Matchers::Contains(
                 "no statistics are taken from the source sample: no BatchNorm of net.safetensors is folded away"));
}
