#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/results/job_json.hpp"
#include "shiftnorm/toolkit/job_document.hpp"
#include "shiftnorm/toolkit/statistics.hpp"
#include "support/npy_file.hpp"
#include "support/shared_data.hpp"
#include "support_network.hpp"

using namespace shiftnorm;
using namespace shiftnorm::toolkit;
namespace fs = std::filesystem;

namespace {

/// By the source's own normalisation: what sites may merge.
Adapted measured(const fs::path& dir, const std::string& images) {
  return recalibrate({.checkpoint = dir / "net.safetensors",
                      .architecture = "cifar_resnet20",
                      .data = dir / images,
                      .preprocess = "cifar10",
                      .mode = {.name = "adabn", .semantics = adapt::Semantics::source}});
}

/// Of `images` in all: the first 4, the others, and all as one file each.
void put_parts(const fs::path& dir, std::int64_t images) {
  test::write_random_network(dir / "net.safetensors", "cifar_resnet20");
  test::write_random_arrays(dir / "all.npy", images, 32);
  const std::vector<std::byte> file = read_file(dir / "all.npy");
  Array first(DType::u8, Shape{4, 3, 32, 32}), rest(DType::u8, Shape{images - 4, 3, 32, 32});
  const std::size_t whole = static_cast<std::size_t>(images) * 3 * 32 * 32, header = file.size() - whole;
  const auto values = std::span(file).subspan(header);
  std::copy_n(values.begin(), first.bytes().size(), first.bytes().begin());
  std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(first.bytes().size()), rest.bytes().size(),
              rest.bytes().begin());
  write_file(dir / "first.npy", test::write_npy(first));
  write_file(dir / "rest.npy", test::write_npy(rest));
}

}  // namespace

// Law: sums are exact, so that those of two parts merge to the whole's bits; what is measured on the same images lies
// nowhere apart.
TEST_CASE("statistics of several files are merged and compared", "[toolkit]") {
  const test::TempDir dir;
  put_parts(dir.path(), 7);
  for (const std::string name : {"all", "first", "rest"})
    write_file(dir.path() / (name + ".bnstats"), measured(dir.path(), name + ".npy").statistics_file());
  const std::vector<fs::path> parts{dir.path() / "first.bnstats", dir.path() / "rest.bnstats"};
  const MergedStatistics merged = merge_statistics(parts);
  CHECK(merged.notes.empty());
  CHECK(merged.file.images == 7);
  CHECK(merged.file.fingerprints.size() == 2);
  const stats::StatisticsFile all = read_statistics_file(dir.path() / "all.bnstats");
  for (std::size_t i = 0; i < all.layers.size(); ++i) {
    CHECK(merged.file.layers[i].mean == all.layers[i].mean);
    CHECK(merged.file.layers[i].variance == all.layers[i].variance);
  }

  const ComparedStatistics same = compare_statistics(parts[0], parts[0]);
  CHECK(same.notes.empty());
  REQUIRE(same.layers.size() == 19);
  CHECK(same.layers[0].wasserstein == 0);
  CHECK(compare_statistics(parts[0], parts[1]).layers[0].wasserstein > 0);

  stats::StatisticsFile other = all;
  other.model_sha256 = std::string(64, '0');
  other.preprocess_sha256.clear();
  other.fingerprints.clear();
  write_file(dir.path() / "other.bnstats", stats::write_statistics(other));
  CHECK(compare_statistics(parts[0], dir.path() / "other.bnstats").notes.size() == 2);
  other.layers.pop_back();
  write_file(dir.path() / "short.bnstats", stats::write_statistics(other));
  CHECK_THROWS_WITH(compare_statistics(parts[0], dir.path() / "short.bnstats"),
                    Catch::Matchers::StartsWith("short.bnstats: "));
  CHECK_THROWS_AS(merge_statistics(std::vector<fs::path>{parts[0], dir.path() / "none.bnstats"}), FormatError);
}

// Oracle: the counts of the job by hand, and the file's own fields; an error that cannot be told (one image) is null.
TEST_CASE("a job and a statistics file have their documents", "[toolkit]") {
  const test::TempDir dir;
  put_parts(dir.path(), 5);
  const Adapted adapted = measured(dir.path(), "first.npy");
  const results::JobDocument document = document_of(adapted);
  CHECK(document.images == 4);
  CHECK(document.bad == 0);
  CHECK(document.skipped == 0);
  CHECK(document.adapt == adapted.result.seconds.adapt);
  CHECK(document.settling.has_value());

  const container::Json json = results::statistics_json(stats::read_statistics(adapted.statistics_file()));
  CHECK(json.at("images").as_number() == 4);
  CHECK(json.at("semantics").as_string() == "source");
  CHECK(json.at("patients").is_null());
  const container::Json& layer = json.at("layers").as_array()[0];
  CHECK(layer.at("name").as_string() == "bn1");
  CHECK(layer.at("values").as_number() == 4 * 32 * 32);
  CHECK(layer.at("error").as_number() == adapted.settling.layers[0].error);
  const auto one = results::statistics_json(stats::read_statistics(measured(dir.path(), "rest.npy").statistics_file()));
  CHECK(one.at("layers").as_array()[0].at("error").is_null());
}
