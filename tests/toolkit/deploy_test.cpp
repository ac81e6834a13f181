#include <catch2/catch.hpp>
#include <limits>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/toolkit/export.hpp"
#include "support/shared_data.hpp"
#include "support_network.hpp"

using namespace shiftnorm;
using Catch::Matchers::Contains;

namespace {

toolkit::RestoredModel network(const test::TempDir& dir) {
  test::write_random_network(dir.path() / "net.safetensors", "cifar_resnet20");
  return toolkit::restore(dir.path() / "net.safetensors", "cifar_resnet20");
}

toolkit::Exported exported(const toolkit::RestoredModel& model, const std::string& file, bool fold) {
  adapt::Mode mode;
  mode.policy = adapt::Policy::source;
  const auto source = adapt::source_statistics(model.graph, graph::batch_norms(model.graph));
  toolkit::ExportFacts facts;
  facts.file_name = file;
  facts.mode = mode;
  facts.instruction_set = "any";
  facts.program_version = "test";
  facts.fold = fold;
  return toolkit::export_checkpoint(model, source, facts, {});
}

}  // namespace

// Oracle: docs/guide.md#writing-another-format.
TEST_CASE("the name of the file decides what an export holds", "[experiment]") {
  const test::TempDir dir;
  const toolkit::RestoredModel model = network(dir);
  CHECK(exported(model, "a.onnx", false).converted == "from safetensors to ONNX");
  CHECK(exported(model, "a.onnx", true).converted == "from safetensors to ONNX, BatchNorms folded");
  CHECK(exported(model, "a.safetensors", false).converted.empty());
  CHECK(exported(model, "a.bin", false).bytes == model.checkpoint.bytes);
  CHECK_THROWS_AS(exported(model, "a.bin", true), ConfigError);
  CHECK_THROWS_WITH(exported(model, "a.bin", true),
                    Contains("which 'a.bin' cannot hold; expected a name that ends in .onnx"));
}

// What cannot be compared must not pass for equal: the outputs of this network are not numbers.
// Law: NaN equals nothing.
TEST_CASE("a folded network whose outputs do not agree is not written", "[experiment]") {
  const test::TempDir dir;
  toolkit::RestoredModel model = network(dir);
  for (const graph::ValueId id : model.graph.parameters())
    if (model.graph.value(id).name == "linear.weight")
      model.graph.value(id).tensor->values[0] = std::numeric_limits<float>::quiet_NaN();
  CHECK_NOTHROW(exported(model, "a.onnx", false));
  CHECK_THROWS_AS(exported(model, "a.onnx", true), UnsupportedError);
  CHECK_THROWS_WITH(exported(model, "a.onnx", true),
                    Contains("net.safetensors: folding the BatchNorms changes the outputs"));
}

// Oracle: the infinite variance put in.
TEST_CASE("statistics that are no numbers are not converted either", "[experiment]") {
  const test::TempDir dir;
  const toolkit::RestoredModel model = network(dir);
  auto statistics = adapt::source_statistics(model.graph, graph::batch_norms(model.graph));
  statistics[3].variance[1] = std::numeric_limits<double>::infinity();
  for (const char* file : {"a.onnx", "a.safetensors"})
    CHECK_THROWS_WITH(toolkit::export_checkpoint(model, statistics, {file, {}, 1, "any", "test"}, {}),
                      Contains("its statistics are not finite numbers; nothing was written"));
}
