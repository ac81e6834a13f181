#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/file.hpp"

using namespace shiftnorm;
using container::Json;
using test::Call;

namespace {

std::vector<std::string> recalibrate(const std::string& data, const std::string& stats, std::vector<std::string> more) {
  std::vector<std::string> arguments{"recalibrate", "net.safetensors", "--arch",  "cifar_resnet20", "--data",
                                     data,          "--preprocess",    "cifar10", "--stats-out",    stats,
                                     "--out",       "adapted",         "--quiet"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

void check_done(const test::Workplace& place, const std::vector<std::string>& arguments) {
  const Call call = test::shiftnorm(place.path(), arguments);
  INFO(call.err);
  REQUIRE(call.exit == 0);
}

}  // namespace

// Law: shards measured apart and merged are one run (docs/reference/statistics-file.md#merging). Two images per class
// folder, so that each folder is a whole batch and the shards' batches are those of the whole set in arrival order.
TEST_CASE("statistics of three shards merge to those of one run", "[cli]") {
  const test::Workplace place;
  const auto method = GENERATE(std::vector<std::string>{"--semantics", "source"},
                               std::vector<std::string>{"--semantics", "batch", "--batch", "2", "--shuffle", "off"},
                               std::vector<std::string>{"--semantics", "batch", "--estimator", "batch-mean", "--batch",
                                                        "2", "--shuffle", "off"});
  for (int shard = 0; shard < 3; ++shard)
    for (char c = 'a'; c <= 'j'; ++c)
      if ((c - 'a') % 3 == shard)
        for (const char* image : {"0.bmp", "1.bmp"}) {
          const std::filesystem::path to = place / ("shard" + std::to_string(shard)) / std::string(1, c);
          std::filesystem::create_directories(to);
          std::filesystem::copy_file(place / "images" / std::string(1, c) / image, to / image);
        }
  check_done(place, recalibrate("images", "whole.bnstats", method));
  for (const char* shard : {"0", "1", "2"})
    check_done(place, recalibrate("shard" + std::string(shard), std::string(shard) + ".bnstats", method));
  check_done(place, {"stats", "merge", "2.bnstats", "0.bnstats", "1.bnstats", "--out", "merged.bnstats", "--quiet"});
  const Json whole = json_of(test::shiftnorm(place.path(), {"stats", "show", "whole.bnstats", "--json"}));
  const Json merged = json_of(test::shiftnorm(place.path(), {"stats", "show", "merged.bnstats", "--json"}));
  CHECK(merged.at("images").as_integer() == 20);
  CHECK(merged.at("data_fingerprints").as_array().size() == 3);
  CHECK(merged.at("layers") == whole.at("layers"));  // numbers are written so that they read to the same bits

  // Exported, both are the file that recalibrate writes from all images.
  check_done(place, recalibrate("images", "whole.bnstats", method));
  for (const char* name : {"whole", "merged"}) {
    check_done(place, {"export", "net.safetensors", "--stats", name + std::string(".bnstats"), "--out",
                       name + std::string(".safetensors"), "--quiet"});
    CHECK(read_file(place / (name + std::string(".safetensors"))) == read_file(place / "adapted"));
  }
}

// Law: exported or measured anew, the bytes and the scores are the same.
TEST_CASE("a statistics file is exported under a policy and evaluated without measuring", "[cli]") {
  const test::Workplace place;
  check_done(place, recalibrate("images", "s.bnstats", {"--policy", "blend", "--prior-images", "16"}));
  const Json out =
      json_of(test::shiftnorm(place.path(), {"export", "net.safetensors", "--stats", "s.bnstats", "--policy", "blend",
                                             "--prior-images", "16", "--out", "blend.safetensors", "--json"}));
  CHECK(out.at("images").as_integer() == 20);
  CHECK(read_file(place / "blend.safetensors") == read_file(place / "adapted"));
  const Json provenance = container::parse_json(as_text(read_file(place / "blend.safetensors.provenance.json")));
  CHECK(provenance.at("method").at("policy").as_string() == "blend");
  CHECK(provenance.at("method").at("semantics").as_string() == "layerwise");
  CHECK(provenance.at("preprocessing").at("name").as_string() == "cifar10");

  const std::vector<std::string> evaluate{"evaluate", "net.safetensors", "--arch", "cifar_resnet20",
                                          "--data",   "images",          "--json"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), evaluate.begin(), evaluate.end());
    return json_of(test::shiftnorm(place.path(), more)).at("metrics");
  };
  CHECK(with({"--stats", "s.bnstats"}) == with({"--preprocess", "cifar10", "--mode", "adabn"}));
  const std::vector<std::string> blend{"--mode", "blend", "--prior-images", "16"};
  std::vector<std::string> kept = blend, measured = blend;
  kept.insert(kept.end(), {"--stats", "s.bnstats"});
  measured.insert(measured.end(), {"--preprocess", "cifar10"});
  CHECK(with(kept) == with(measured));
}

// Oracle: by hand: 20 images of 32 x 32; a file's distance from itself is 0.
TEST_CASE("stats show, stats diff and inspect read statistics files", "[cli]") {
  const test::Workplace place;
  check_done(place, recalibrate("images", "all.bnstats", {}));
  check_done(place, recalibrate("images/a", "a.bnstats", {}));
  const Call text = test::shiftnorm(place.path(), {"stats", "show", "all.bnstats"});
  CHECK(text.exit == 0);
  CHECK_THAT(text.out, Catch::Matchers::Contains("all.bnstats: layerwise, population; 20 images, 19 layers"));
  const Json shown = json_of(test::shiftnorm(place.path(), {"stats", "show", "all.bnstats", "--json"}));
  CHECK(shown.at("layers").as_array().at(0).at("values").as_integer() == 20 * 32 * 32);
  CHECK(shown.at("layers").as_array().at(0).at("exact").as_bool());
  CHECK(json_of(test::shiftnorm(place.path(), {"inspect", "all.bnstats", "--json"})) == shown);

  const Json self = json_of(test::shiftnorm(place.path(), {"stats", "diff", "all.bnstats", "all.bnstats", "--json"}));
  REQUIRE(self.at("layers").as_array().size() == 19);
  CHECK(self.at("layers").as_array()[3].at("mean_shift").as_number() == 0);
  const Json other = json_of(test::shiftnorm(place.path(), {"stats", "diff", "all.bnstats", "a.bnstats", "--json"}));
  CHECK(other.at("layers").as_array()[3].at("wasserstein").as_number() > 0);
  CHECK_THAT(test::shiftnorm(place.path(), {"stats", "diff", "all.bnstats", "a.bnstats"}).out,
             Catch::Matchers::Contains("symmetric KL"));
}

// Oracle: docs/reference/statistics-file.md#merging and #applying.
TEST_CASE("statistics that must not be merged or applied are refused in one line", "[cli]") {
  const test::Workplace place;
  check_done(place, recalibrate("images", "layerwise.bnstats", {}));
  check_done(place, recalibrate("images", "ema.bnstats", {"--semantics", "batch", "--estimator", "ema"}));
  check_done(place, recalibrate("images", "source.bnstats", {"--semantics", "source"}));
  check_done(place, recalibrate("images", "batch.bnstats", {"--semantics", "batch"}));
  const auto merge = [](std::vector<std::string> files) {
    files.insert(files.begin(), {"stats", "merge"});
    files.insert(files.end(), {"--out", "c.bnstats"});
    return files;
  };
  test::check_refused(place, merge({"layerwise.bnstats", "source.bnstats"}), 2, "semantics layerwise with estimator");
  test::check_refused(place, merge({"source.bnstats", "ema.bnstats"}), 2,
                      "ema.bnstats: semantics batch with estimator ema");
  test::check_refused(place, merge({"source.bnstats", "batch.bnstats"}), 2, "semantics batch; expected source");
  test::check_refused(place, merge({"source.bnstats"}), 2, "1 files to merge");
  test::check_refused(place, merge({"source.bnstats", "none.bnstats"}), 3, "none.bnstats");
  test::check_refused(place, merge({"source.bnstats", "source.bnstats"}), 2,
                      "source.bnstats: contains images that source.bnstats contains too (fingerprint ");
  test::check_refused(place, {"stats", "merge", "source.bnstats", "source.bnstats"}, 2, "--out: missing");
  test::check_refused(place, {"stats", "show", "net.safetensors"}, 3, "net.safetensors: no schema in its metadata");
  test::check_refused(place, {"stats", "show"}, 2, "stats show: 0 files; expected one");
  test::check_refused(place, {"stats", "diff", "source.bnstats"}, 2, "stats diff: 1 files; expected two");
  test::check_refused(place, {"stats", "sum", "source.bnstats"}, 2, "stats sum: is not an action");
  test::check_refused(place, {"stats"}, 2, "stats: no show, diff or merge");
  test::check_refused(place, {"stats", "show", "source.bnstats", "--out", "x"}, 2, "--out: stats show writes no file");

  const auto save = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"export", "net.safetensors"});
    return more;
  };
  test::check_refused(place, save({"--stats", "source.bnstats"}), 2, "--out: missing");
  test::check_refused(place, save({"--stats", "source.bnstats", "--out", "x", "--policy", "batch"}), 2, "policy batch");
  test::check_refused(place, save({"--stats", "source.bnstats", "--out", "x", "--policy", "identity"}), 2,
                      "policy identity uses no measured statistics");
  // `adapted` holds other weights than the network that was measured.
  test::check_refused(place, {"export", "adapted", "--stats", "source.bnstats", "--out", "x"}, 2,
                      "--stats: statistics of the network");

  const std::vector<std::string> evaluate{"evaluate", "net.safetensors", "--arch",  "cifar_resnet20", "--data",
                                          "images",   "--quiet",         "--stats", "source.bnstats"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), evaluate.begin(), evaluate.end());
    return more;
  };
  test::check_refused(place, with({"--estimator", "population"}), 2,
                      "--estimator: the statistics of --stats are measured");
  test::check_refused(place, with({"--mode", "disabled"}), 2, "policy disabled uses no measured statistics");
  write_file(place / "steps.yaml", "- {to_float: {scale: 200}}\n");
  test::check_refused(place, with({"--preprocess", "steps.yaml"}), 2, "--stats: was measured with the preprocessing");

  std::filesystem::remove(place / "adapted");
  std::filesystem::remove(place / "adapted.provenance.json");
  test::check_refused(place, recalibrate("images", "x.bnstats", {"--policy", "disabled"}), 2, "measures nothing");
  test::check_refused(place, recalibrate("images", "adapted", {}), 2,
                      "--stats-out = adapted: is also the name of --out");

  std::vector<std::byte> bytes = read_file(place / "source.bnstats");
  bytes.resize(bytes.size() - 1);
  write_file(place / "short.bnstats", bytes);
  test::check_refused(place, {"stats", "show", "short.bnstats"}, 3, "short.bnstats: safetensors: ");
}
