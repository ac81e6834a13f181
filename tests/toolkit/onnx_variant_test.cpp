#include <catch2/catch.hpp>
#include <random>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/toolkit/restore.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;

namespace {

adapt::Images images_of(const std::vector<float>& values, std::size_t count) {
  adapt::Images images;
  images.count = count;
  images.load = [&values](std::size_t index, std::span<float> dst) {
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(index * dst.size()), dst.size(), dst.begin());
  };
  return images;
}

}  // namespace

// Oracle: PyTorch's logits of the same network (oracle/checkpoint_variants.py), and the network's own weights file.
TEST_CASE("PyTorch's export of a network is that network", "[experiment]") {
  const auto shared = test::shared_data("PyTorch's export of a network is that network");
  if (!shared) return;
  const auto data = *shared / "data";
  const auto expected = container::read_safetensors(read_file(data / "variants/expected.safetensors"));
  const std::vector<float> probe = expected.at("probe").to_float(), logits = expected.at("resnet20.logits").to_float();
  const toolkit::RestoredModel model = toolkit::restore(data / "variants/resnet20_bn.onnx", "");
  adapt::Engine engine(model.graph, {});
  const adapt::Outputs outputs = engine.infer(engine.source(), images_of(probe, 2), {});
  REQUIRE(outputs.values.size() == logits.size());
  // Float32 sums in another order.
  for (std::size_t i = 0; i < logits.size(); ++i) CHECK(outputs.values[i] == Approx(logits[i]).margin(1e-4 * 20));

  // The weights file bound to the model, and to zoo's architecture: the same statistics, to the last bit.
  std::mt19937 random(1);
  std::vector<float> noise(std::size_t{8} * 3 * 32 * 32);
  for (float& v : noise) v = static_cast<float>(random() >> 8U) / 8388608.0f - 1.0f;
  adapt::Mode mode;
  mode.policy = adapt::Policy::adabn;
  const auto measured = [&](const toolkit::RestoredModel& one) {
    adapt::Engine other(one.graph, {});
    return other.measure(mode, images_of(noise, 8), {});
  };
  const auto weights = data / "checkpoints/resnet20-12fca82f.th";
  const stats::Statistics reference = measured(toolkit::restore(weights, "cifar_resnet20"));
  for (const auto& found :
       {measured(model),
        measured(toolkit::restore(weights, toolkit::NetworkSource{{}, data / "variants/resnet20_bn.onnx"}))}) {
    REQUIRE(found.size() == reference.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      CHECK(found[i].name == reference[i].name);
      CHECK(found[i].mean == reference[i].mean);
      CHECK(found[i].variance == reference[i].variance);
    }
  }
}
