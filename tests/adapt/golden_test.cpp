// Oracle: PyTorch 1.13's statistics and logits of the published CIFAR-10 ResNet-20 on 500 real images under noise
// (data/golden/resnet20_500.safetensors, made by oracle/cifar_resnet.py of the shared test data).
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>

#include "golden_network.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/file.hpp"
#include "support/near.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::adapt;
using test::check_statistics, test::images_in, test::images_of, test::restored;
namespace fs = std::filesystem;

namespace {

struct Row {
  Mode mode;
  const char* key;  ///< in the golden file
  int correct;      ///< of 500, docs/reference/test-data.md#golden-values
  bool statistics;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> all{
      {{.policy = Policy::source}, "source", 94, false},
      {{.policy = Policy::adabn}, "adabn", 263, true},
      {{.policy = Policy::blend, .prior_images = 16}, "blend_16", 270, true},
      {{.policy = Policy::disabled}, "disabled", 58, false},
      {{.policy = Policy::identity}, "identity", 50, false},
      {{.semantics = Semantics::source}, "one_pass", 50, true},
      {{.semantics = Semantics::batch, .estimator = Estimator::batch_mean, .batch = 50},
       "update_bn_batch50",
       261,
       true},
      {{.semantics = Semantics::batch, .estimator = Estimator::ema, .batch = 50, .momentum = 0.1},
       "ema_batch50_momentum0.1",
       259,
       true},
      {{.policy = Policy::batch, .batch = 50}, "batch50", 63, false}};
  return all;
}

}  // namespace

// Oracle: PyTorch 1.13's logits and statistics, as above.
TEST_CASE("golden: every mode of the published ResNet-20 equals PyTorch", "[golden]") {
  const auto shared = test::shared_data("golden: every mode of the published ResNet-20 equals PyTorch");
  if (!shared) return;
  const imaging::SampleStore store = images_in(*shared / "data/cifar10-noise/test");
  REQUIRE(store.size() == 500);
  const Images images = images_of(store);
  const auto golden = container::read_safetensors(read_file(*shared / "data/golden/resnet20_500.safetensors"));
  const std::vector<std::int64_t> labels = golden.at("labels").to_int64();
  Engine engine(restored(*shared / "data/checkpoints/resnet20-12fca82f.th"), {.threads = 2});
  for (const Row& row : rows()) {
    CAPTURE(row.key);
    const ModeResult r = engine.run(row.mode, images, kSameImages, {});
    const std::vector<float> logits = golden.at("shifted." + std::string(row.key) + ".logits").to_float();
    // 2e-3 absolute for the source, 2e-2 after re-estimation (docs/reference/test-data.md#golden-values), and so for BN
    // off, whose logits reach 9e3.
    CHECK_THAT(test::as_doubles(r.outputs->values),
               test::EachNear(test::as_doubles(logits), row.mode.policy == Policy::source ? 2e-3 : 2e-2));
    int correct = 0;
    for (std::size_t i = 0; i < 500; ++i) {
      const auto at = static_cast<std::ptrdiff_t>(i * 10);
      const auto row_begin = r.outputs->values.begin() + at;
      correct += std::max_element(row_begin, row_begin + 10) - row_begin == labels[i] ? 1 : 0;
    }
    CHECK(std::abs(correct - row.correct) <= 1);
    if (!row.statistics) continue;
    for (const stats::LayerStatistics& layer : r.statistics) {
      const std::string key = "stats." + std::string(row.key) + "." + layer.name;
      check_statistics(layer, golden.at(key + ".running_mean").to_double(),
                       golden.at(key + ".running_var").to_double());
    }
  }
}

// Law: threads and the order of files change no bit.
TEST_CASE("golden: layerwise statistics have the same bits for any threads and file order", "[golden]") {
  const auto shared =
      test::shared_data("golden: layerwise statistics have the same bits for any threads and file order");
  if (!shared) return;
  const graph::Graph g = restored(*shared / "data/checkpoints/resnet20-12fca82f.th");
  const fs::path folder = *shared / "data/cifar10-noise/test";
  const auto measured = [&](const fs::path& where, int threads) {
    const imaging::SampleStore store = images_in(where);
    std::vector<std::vector<double>> out;
    for (const auto& layer : Engine(g, {.threads = threads}).measure({}, images_of(store), {})) {
      out.push_back(layer.mean);
      out.push_back(layer.variance);
    }
    return out;
  };
  const auto expected = measured(folder, 1);
  CHECK(measured(folder, 2) == expected);
  CHECK(measured(folder, 4) == expected);
  CHECK(measured(folder, 2) == expected);  // repeated

  const test::TempDir reversed;  // a copy renamed so that the order of classes and of files reverses
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.rbegin(), files.rend());
  for (std::size_t i = 0; i < files.size(); ++i) {
    const fs::path to =
        reversed.path() / ("class" + std::to_string(100 + i / 50)) / (std::to_string(1000 + i) + ".png");
    fs::create_directories(to.parent_path());
    fs::copy_file(files[i], to);
  }
  CHECK(measured(reversed.path(), 2) == expected);
}
