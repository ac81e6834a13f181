// Whether enough images were measured, as the command says it and acts on it, where one channel of a layer is nearly
// constant and far from where the file has it. Oracle: worked by hand on images that are made for it.
#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "process.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/formats/convert.hpp"
#include "shiftnorm/graph/shapes.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using Catch::Matchers::Contains;
using container::Json;

namespace {

constexpr std::int64_t kRows = 4, kColumns = 8, kPlane = kRows * kColumns;
constexpr float kFar = 8192, kStep = 0x1p-10F;  // neighbouring floats at kFar are this far apart

graph::ValueId parameter(graph::Graph& graph, const std::string& name, std::vector<float> values) {
  const Shape shape{static_cast<std::int64_t>(values.size())};
  const graph::ValueId id = graph.add_parameter(name, shape);
  graph.value(id).tensor = Tensor(shape, std::move(values));
  return id;
}

/// A BatchNorm of two channels on the input itself, whose running means are 0 and variances 1, and the channels' means.
void write_network(const std::filesystem::path& file) {
  graph::Graph graph;
  const graph::ValueId x = graph.add_input("x", {1, 2, kRows, kColumns});
  const graph::ValueId norm =
      graph.add("BatchNormalization", "bn",
                {x, parameter(graph, "bn.weight", {1, 1}), parameter(graph, "bn.bias", {0, 0}),
                 parameter(graph, "bn.running_mean", {0, 0}), parameter(graph, "bn.running_var", {1, 1})});
  graph.set_outputs({graph.add("Flatten", "flat", {graph.add("GlobalAveragePool", "pool", {norm})})});
  graph::infer_shapes(graph);
  write_file(file, formats::write_onnx(graph, "test", {}));
}

/// Images in turn of two kinds. Channel 0, an ordinary one: m + 1 and m - 1 in turn, m = 1/4 or -1/4. Channel 1: kFar
/// in every pixel of one kind, the next float in every pixel of the other.
void write_images(const std::filesystem::path& file, std::int64_t count) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) {
    const bool odd = i % 2 == 1;
    for (std::int64_t k = 0; k < kPlane; ++k) values.push_back((odd ? -0.25F : 0.25F) + (k % 2 == 1 ? -1.0F : 1.0F));
    values.insert(values.end(), static_cast<std::size_t>(kPlane), odd ? kFar + kStep : kFar);
  }
  write_file(file, container::write_safetensors(std::vector{
                       std::pair{std::string("x"), Array::from_floats({count, 2, kRows, kColumns}, values)}}));
}

struct SettlingPlace {
  test::TempDir dir;
  explicit SettlingPlace(std::int64_t images) {
    write_network(dir.path() / "net.onnx");
    write_images(dir.path() / "images.safetensors", images);
  }
  [[nodiscard]] test::Call recalibrate(std::vector<std::string> more) const {
    more.insert(more.begin(), {"recalibrate", "net.onnx", "--data", "images.safetensors", "--json", "--out", "a.onnx"});
    test::Call call = test::shiftnorm(dir.path(), more);
    INFO(call.err);
    REQUIRE(call.exit == 0);
    return call;
  }
};

}  // namespace

// n = 32 images, half of each kind, with the formulas of stats/settling.hpp.
//   channel 0: A = 0, v = 1 + 1/16; a is m, and q = 1 + 1/16 in every image, so that only the mean's error is left:
//              e0^2 = var(m) / n / v = 1/16 * 32/31 / 32 / v = 1 / (16 * 31 * v)
//   channel 1: a = A +- s/2 and q = a^2 with s = kStep, v = s^2 / 4; q - 2 A a = (s/2)^2 - A^2 in every image:
//              e1^2 = s^2/4 * 32/31 / 32 / v = 1/31
//   weights:   1, and v1 / f with f a thousandth of the layer's mean variance.
// By itself channel 1 would not have settled (0.18), with an equal weight neither would the layer (0.13).
// Oracle: the figures above, by hand.
TEST_CASE("a nearly constant channel far from the file's mean does not unsettle its layer", "[cli]") {
  const SettlingPlace place(32);
  const Json layer = container::parse_json(place.recalibrate({}).out).at("settling").at("layers").as_array().at(0);
  const double v0 = 1 + 1.0 / 16, v1 = std::pow(double{kStep} / 2, 2), floor = 1e-3 * (v0 + v1) / 2, share = v1 / floor;
  const double error = std::sqrt((1 / (16 * 31 * v0) + share / 31) / (1 + share));
  CHECK(error == Approx(0.0437).margin(5e-5));
  // 1e-6: the JSON's digits. All sums are exact: multiples of 2^-20 below 2^32.
  CHECK(layer.at("error").as_number() == Approx(error).epsilon(1e-6));
  // The distance from the file's (0, 1): A0 = 0, A1 = kFar + s/2.
  const double mean1 = double{kFar} + double{kStep} / 2, deviation1 = double{kStep} / 2 - 1;
  const double shift0 = std::pow(std::sqrt(v0) - 1, 2) / v0, shift1 = (mean1 * mean1 + deviation1 * deviation1) / floor;
  CHECK(layer.at("shift").as_number() == Approx(std::sqrt((shift0 + shift1) / (1 + share))).epsilon(1e-6));
}

// By the figure above 32 images are enough, whichever are drawn: k of one kind and 32 - k of the other spread least
// when a kind is missing and most when k = 16. If the channel counted as much as the other, 64 would be taken.
// Oracle: the figures above, by hand.
TEST_CASE("max-images auto stops at 32 images in spite of a nearly constant channel", "[cli]") {
  const SettlingPlace place(512);
  const std::string seed = GENERATE("1", "2", "3");
  const test::Call call = place.recalibrate({"--max-images", "auto", "--seed", seed});
  const Json told = container::parse_json(call.out);
  CHECK(told.at("images").as_integer() == 32);
  const double error = told.at("settling").at("layers").as_array().at(0).at("error").as_number();
  CHECK(error > 0);
  CHECK(error <= 0.0437);
  CHECK_THAT(call.err, Contains("32 images: layer 'bn' may be off by 0.0"));
  CHECK_THAT(call.err, !Contains("only 32 images"));
}
