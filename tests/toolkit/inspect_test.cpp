#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/toolkit/inspect_checkpoint.hpp"
#include "shiftnorm/toolkit/inspect_data.hpp"
#include "shiftnorm/toolkit/recalibrate.hpp"
#include "support/shared_data.hpp"
#include "support_network.hpp"

using namespace shiftnorm;
using namespace shiftnorm::toolkit;
namespace fs = std::filesystem;

namespace {

/// A grey picture of 2 x 3 pixels as PGM (binary).
void put_pgm(const fs::path& path, std::string_view pixels) {
  fs::create_directories(path.parent_path());
  write_file(path, std::string("P5\n3 2\n255\n") + std::string(pixels));
}

std::int64_t count(const imaging::DataReport& report, const std::string& key, const std::string& value) {
  for (const imaging::Tally& tally : report.tallies)
    if (const auto found = tally.counts.find(value); tally.key == key && found != tally.counts.end())
      return found->second;
  return -1;
}

}  // namespace

// Oracle: six pixels by hand: 0 10 20 30 40 50 and six times 7; SHA-256 of their bytes; a file that is no picture.
TEST_CASE("inspecting data counts every image and names what is bad", "[toolkit]") {
  const test::TempDir dir;
  const std::string ramp{'\0', '\x0a', '\x14', '\x1e', '\x28', '\x32'};
  put_pgm(dir.path() / "cat/a.pgm", ramp);
  put_pgm(dir.path() / "dog/b.pgm", std::string(6, '\7'));
  write_file(dir.path() / "dog/c.pgm", std::string_view("no picture"));
  InspectDataOptions options{dir.path().string()};
  options.pixels = true;
  options.preprocess = imaging::Pipeline{"plain", {imaging::ToFloat{}}};
  const int threads = GENERATE(1, 3);
  options.threads = threads;
  const InspectedData data = inspect_data(options);
  REQUIRE(data.findings.samples.size() == 3);
  const Finding& first = data.findings.samples[0];
  CHECK(first.id == "cat/a.pgm");
  CHECK(first.format == "pgm");
  CHECK(first.dtype == "uint8");
  CHECK(size_text(first.shape) == "2 x 3 x 1");
  CHECK(first.min == 0);
  CHECK(first.max == 50);
  CHECK(first.mean == 25);
  CHECK(first.values == 6);
  CHECK(first.sha256 == sha256_hex(as_bytes(ramp)));
  CHECK_FALSE(data.findings.samples[2].bad.empty());

  const imaging::DataReport& report = data.report;
  CHECK(report.reader == "folder");
  CHECK(report.images == 2);
  CHECK(count(report, "classes", "cat") == 1);
  CHECK(count(report, "classes", "dog") == 1);
  CHECK(count(report, "sizes", "2 x 3 x 1 uint8") == 2);
  CHECK(count(report, "bad_because", "unreadable") == 1);
  REQUIRE(report.bad.size() == 1);
  CHECK(report.bad[0].id == "dog/c.pgm");
  REQUIRE(report.before.size() == 1);
  CHECK(report.before[0].mean == 16);  // (25 + 7) / 2
  CHECK(report.before[0].histogram.values() == 12);
  CHECK(report.thumbnails.empty());
  // Scaled to [0, 1].
  REQUIRE(report.after.size() == 1);
  CHECK(report.after[0].mean == Approx(16.0 / 255).epsilon(1e-6));

  const container::Json pixels = pixels_json(data);
  REQUIRE(pixels.as_array().size() == 3);
  CHECK(pixels.as_array()[0].at("mean").as_number() == 25);
  CHECK(pixels.as_array()[2].find("bad") != nullptr);
}

// Oracle: the published numbers of tests/zoo: 269722 parameters and 19 BatchNorms, the first bn1 of 16 channels; names
// alone tell no level.
TEST_CASE("inspecting a checkpoint lists its BatchNorms", "[toolkit]") {
  const test::TempDir dir;
  const fs::path file = dir.path() / "net.safetensors";
  test::write_random_network(file, "cifar_resnet20");
  const formats::Checkpoint checkpoint = formats::read_checkpoint(file);
  const std::vector<FileLayer> by_name = file_layers(checkpoint);
  const RestoredModel model = restore(file, "cifar_resnet20");
  const std::vector<FileLayer> by_graph = file_layers(model);
  REQUIRE(by_name.size() == 19);
  REQUIRE(by_graph.size() == 19);
  CHECK(by_graph[0].name == "bn1");
  CHECK(by_graph[0].channels == 16);
  CHECK(by_graph[0].level == 1);
  CHECK(by_graph[0].epsilon == 1e-5);
  CHECK(by_graph[0].affine);
  CHECK(by_graph[0].statistics_text() == "present");
  CHECK_FALSE(by_name[0].level.has_value());
  const container::Json json = checkpoint_json(checkpoint, model.parameters, by_graph);
  CHECK(json.at("parameters").as_number() == 269722);
  CHECK(json.at("batchnorms").as_array().size() == 19);
  CHECK(json.at("sha256").as_string() == checkpoint.sha256);
}

// Law: a file's own statistics are no drift from themselves; measured ones are; provenance belongs to one file alone.
TEST_CASE("inspecting an adapted checkpoint finds its provenance and its drift", "[toolkit]") {
  const test::TempDir dir;
  test::write_random_network(dir.path() / "net.safetensors", "cifar_resnet20");
  test::write_random_arrays(dir.path() / "x.npy", 6, 32);
  const Adapted adapted = recalibrate({.checkpoint = dir.path() / "net.safetensors",
                                       .architecture = "cifar_resnet20",
                                       .data = dir.path() / "x.npy",
                                       .preprocess = "cifar10"});
  const fs::path out = dir.path() / "adapted.safetensors";
  adapted.write(out);
  write_file(dir.path() / "f.bnstats", adapted.statistics_file());
  const stats::StatisticsFile file = stats::read_statistics(read_file(dir.path() / "f.bnstats"));
  const std::vector<stats::LayerDistance> drift = drift_to(adapted.session.model, file);
  REQUIRE(drift.size() == 19);
  CHECK(drift.front().wasserstein == adapted.drift.front().wasserstein);
  CHECK(drift.front().wasserstein > 0);

  std::vector<std::string> warnings;
  Events events;
  events.warning = [&](const std::string& line) { warnings.push_back(line); };
  const formats::Checkpoint written = formats::read_checkpoint(out);
  CHECK(provenance_beside(out, written, events).at("images").as_number() == 6);
  CHECK(provenance_beside(dir.path() / "net.safetensors", written, events).is_null());
  CHECK(warnings.empty());
  const formats::Checkpoint other = formats::read_checkpoint(dir.path() / "net.safetensors");
  CHECK(provenance_beside(out, other, events).is_null());
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], Catch::Matchers::EndsWith("belongs to another file than the one beside it"));
}
