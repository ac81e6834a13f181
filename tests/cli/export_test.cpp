#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/file.hpp"

using namespace shiftnorm;
using container::Json;

namespace {

std::size_t occurrences(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::string bytes_of(const std::filesystem::path& file) { return std::string(as_text(read_file(file))); }

const std::vector<std::string> kRecalibrate{"recalibrate", "net.safetensors", "--arch",       "cifar_resnet20",
                                            "--data",      "images",          "--preprocess", "cifar10",
                                            "--stats-out", "s.bnstats",       "--out"};

std::string recalibrate(const test::Workplace& place, const std::string& out) {
  std::vector<std::string> arguments = kRecalibrate;
  arguments.push_back(out);
  return done(place, arguments).out;
}

}  // namespace

// Oracle: an ONNX file spells its operators; tests/parity runs what is exported in ONNX Runtime.
TEST_CASE("export and recalibrate write ONNX where the name asks for it", "[cli]") {
  const test::Workplace place;
  CHECK_THAT(recalibrate(place, "a.onnx"), Catch::Matchers::StartsWith("a.onnx: adabn from 20 images") &&
                                               Catch::Matchers::EndsWith(", converted from safetensors to ONNX\n"));
  CHECK(done(place, {"export", "net.safetensors", "--stats", "s.bnstats", "--fold", "--out", "f.onnx"}).out ==
        "f.onnx: adabn from the statistics of 20 images, converted from safetensors to ONNX, BatchNorms folded\n");
  const std::string plain = bytes_of(place / "a.onnx"), folded = bytes_of(place / "f.onnx");
  CHECK(occurrences(plain, "BatchNormalization") == 19);
  CHECK(occurrences(folded, "BatchNormalization") == 0);
  CHECK(occurrences(plain, "layer3.2.bn2.running_var") == 2);  // the initialiser and the input that takes it
  CHECK(occurrences(folded, "layer3.2.conv2.bias") == 2);
  for (const std::string& file : {plain, folded}) CHECK(occurrences(file, "net.safetensors") == 0);
  const Json provenance = container::parse_json(bytes_of(place / "f.onnx.provenance.json"));
  CHECK(provenance.at("images").as_integer() == 20);
  CHECK(occurrences(folded, provenance.at("statistics_sha256").as_string()) == 1);
}

// Law: statistics go only with the description that they were measured with.
TEST_CASE("statistics of a described network ask for its description", "[cli]") {
  const test::Workplace place;
  done(place, {"export", "net.safetensors", "--arch", "cifar_resnet20", "--out", "g.onnx"});
  done(place, {"recalibrate", "net.safetensors", "--graph", "g.onnx", "--data", "images", "--preprocess", "cifar10",
               "--stats-out", "s.bnstats", "--out", "a.safetensors"});
  test::check_refused(
      place, {"export", "net.safetensors", "--stats", "s.bnstats", "--out", "b.safetensors"}, 2,
      "--graph: missing; the statistics were measured on a network that another file describes (graph ");
  done(place, {"export", "net.safetensors", "--graph", "g.onnx", "--stats", "s.bnstats", "--out", "b.safetensors"});
  CHECK(read_file(place / "a.safetensors") == read_file(place / "b.safetensors"));
}

// Law: without statistics a copy has the original's bytes.
TEST_CASE("a network converts without statistics, under its own or none", "[cli]") {
  const test::Workplace place;
  CHECK(done(place, {"export", "net.safetensors", "--arch", "cifar_resnet20", "--out", "a.onnx"}).out ==
        "a.onnx: source, converted from safetensors to ONNX\n");
  done(place, {"export", "net.safetensors", "--arch", "cifar_resnet20", "--out", "copy.bin"});
  CHECK(read_file(place / "copy.bin") == read_file(place / "net.safetensors"));
  done(place,
       {"export", "net.safetensors", "--arch", "cifar_resnet20", "--policy", "identity", "--out", "i.safetensors"});
  const auto before = container::read_safetensors(read_file(place / "net.safetensors")),
             after = container::read_safetensors(read_file(place / "i.safetensors"));
  CHECK(after.at("bn1.weight").to_float() == std::vector<float>(16, 1.0f));
  CHECK(after.at("conv1.weight").to_float() == before.at("conv1.weight").to_float());
}

// Oracle: an ONNX file spells its operators: ResNet-20 has 19 BatchNormalizations.
TEST_CASE("an experiment's export converts too", "[cli]") {
  const test::Workplace place;
  place.write_yaml("e.yaml", "[source, adabn]", "export: {mode: adabn, path: adapted.onnx}\n");
  done(place, {"run", "e.yaml", "--out", "run", "--quiet"});
  CHECK(occurrences(bytes_of(place / "run/adapted.onnx"), "BatchNormalization") == 19);
}

// Oracle: docs/reference/command-line.md#export.
TEST_CASE("an export that cannot be is refused in one line", "[cli]") {
  const test::Workplace place;
  test::check_refused(place,
                      {"export", "net.safetensors", "--arch", "cifar_resnet20", "--fold", "--out", "x.safetensors"}, 2,
                      "--fold: folded networks are written as ONNX; expected --out FILE.onnx, not 'x.safetensors'");
  test::check_refused(place,
                      {"export", "net.safetensors", "--arch", "cifar_resnet20", "--policy", "adabn", "--out", "x"}, 2,
                      "--stats: missing; policy adabn uses measured statistics");
}
