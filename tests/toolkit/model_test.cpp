#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/formats/convert.hpp"
#include "shiftnorm/toolkit/restore.hpp"
#include "support/shared_data.hpp"
#include "support_network.hpp"

using namespace shiftnorm;
using Catch::Matchers::Contains;

// Oracle: the published ResNet-20: parameters counted by hand, 19 BatchNorms.
TEST_CASE("a weights-only file is restored by its architecture's name", "[experiment]") {
  const test::TempDir dir;
  const std::string prefix = GENERATE("", "module.");
  test::write_random_network(dir.path() / "net.safetensors", "cifar_resnet20", prefix);
  const toolkit::RestoredModel model = toolkit::restore(dir.path() / "net.safetensors", "cifar_resnet20");
  CHECK(model.input() == Shape{3, 32, 32});
  // Published for ResNet-20: 0.27 M; 269 722 weights plus 2 x 688 gammas and betas, counted from the architecture.
  CHECK(model.parameters == 269722);
  const auto layers = graph::batch_norms(model.graph);
  REQUIRE(layers.size() == 19);
  CHECK(model.name_in_file(layers[0].mean) == prefix + "bn1.running_mean");
  CHECK(model.name_in_file(graph::kNone).empty());
}

// Oracle: the architecture that wrote the file.
TEST_CASE("a weights-only file without an architecture names those that fit", "[experiment]") {
  const test::TempDir dir;
  test::write_random_network(dir.path() / "net.safetensors", "cifar_resnet20");
  CHECK_THROWS_WITH(toolkit::restore(dir.path() / "net.safetensors", ""),
                    "net.safetensors: holds weights only and no architecture was named; it fits cifar_resnet20");
  CHECK_THROWS_AS(toolkit::restore(dir.path() / "net.safetensors", ""), ConfigError);
}

// Law: a file fits only the architecture that it was written for.
TEST_CASE("a file of another architecture is refused, also of a deeper one of the same family", "[experiment]") {
  const test::TempDir dir;
  const std::string held = GENERATE("cifar_resnet20", "cifar_resnet44");
  test::write_random_network(dir.path() / "net.safetensors", held);
  CHECK_THROWS_AS(toolkit::restore(dir.path() / "net.safetensors", "cifar_resnet32"), FormatError);
  CHECK_THROWS_WITH(toolkit::restore(dir.path() / "net.safetensors", "cifar_resnet32"),
                    Contains("net.safetensors as cifar_resnet32: the file does not fit the architecture"));
}

// Oracle: the shape asked for.
TEST_CASE("the network is rebuilt for another input size with the same weights", "[experiment]") {
  const test::TempDir dir;
  test::write_random_network(dir.path() / "net.safetensors", "cifar_resnet20");
  toolkit::RestoredModel model = toolkit::restore(dir.path() / "net.safetensors", "cifar_resnet20");
  toolkit::fit_input(model, Shape{3, 48, 40});
  CHECK(model.input() == Shape{3, 48, 40});
  CHECK(model.graph.value(graph::batch_norms(model.graph)[0].mean).tensor.has_value());
}

// Oracle: docs/reference/estimators.md#stored-variance: PyTorch stores the sample variance, ONNX from opset 14 on the
// population's.
TEST_CASE("which variance is stored is said by the file that holds it, not by what describes it", "[experiment]") {
  const test::TempDir dir;
  test::write_random_network(dir.path() / "net.safetensors", "cifar_resnet20");
  const auto weights = toolkit::restore(dir.path() / "net.safetensors", "cifar_resnet20");
  write_file(dir.path() / "net.onnx", formats::write_onnx(weights.graph, "test", {}));
  const auto stored = [&](const char* file, const char* description) {
    const std::filesystem::path graph = *description == '\0' ? std::filesystem::path() : dir.path() / description;
    return graph::batch_norms(toolkit::restore(dir.path() / file, toolkit::NetworkSource{{}, graph}).graph)
        .at(0)
        .stored_variance;
  };
  CHECK(stored("net.onnx", "") == graph::StoredVariance::population);
  CHECK(stored("net.onnx", "net.onnx") == graph::StoredVariance::population);
  CHECK(stored("net.safetensors", "net.onnx") == graph::StoredVariance::sample);
  // Also once it is made for another size.
  auto model = toolkit::restore(dir.path() / "net.safetensors", toolkit::NetworkSource{{}, dir.path() / "net.onnx"});
  toolkit::fit_input(model, model.input());
  CHECK(graph::batch_norms(model.graph).at(3).stored_variance == graph::StoredVariance::sample);
}
