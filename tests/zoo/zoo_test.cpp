#include "shiftnorm/zoo/zoo.hpp"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/graph/shapes.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using Catch::Matchers::Contains;

namespace {

std::int64_t trainable(const graph::Graph& g) {
  std::int64_t total = 0;
  for (const graph::ValueId id : g.parameters())
    if (!g.value(id).tensor && g.value(id).name.find("running_") == std::string::npos)
      total += g.value(id).shape->elements();
  return total;
}

struct Published {
  const char* name;
  std::int64_t parameters;
  std::size_t batch_norms;
};

}  // namespace

// Oracle: sum(p.numel() for p in model.parameters()) and the BatchNorm2d modules of torchvision 0.14, and of the CIFAR
// ResNets in PyTorch (He et al. 2016, table 6: 0.27, 0.46, 0.66, 0.85 and 1.7 million).
TEST_CASE("Architectures have the published numbers of parameters and BatchNorms", "[zoo]") {
  const auto p = GENERATE(
      Published{"resnet18", 11689512, 20}, Published{"resnet34", 21797672, 36}, Published{"resnet50", 25557032, 53},
      Published{"resnet101", 44549160, 104}, Published{"resnet152", 60192808, 155},
      Published{"cifar_resnet20", 269722, 19}, Published{"cifar_resnet32", 464154, 31},
      Published{"cifar_resnet44", 658586, 43}, Published{"cifar_resnet56", 853018, 55},
      Published{"cifar_resnet110", 1727962, 109}, Published{"densenet121", 7978856, 121},
      Published{"densenet161", 28681000, 161}, Published{"densenet169", 14149480, 169},
      Published{"densenet201", 20013928, 201}, Published{"vgg11_bn", 132868840, 8},
      Published{"vgg13_bn", 133053736, 10}, Published{"vgg16_bn", 138365992, 13}, Published{"vgg19_bn", 143678248, 16},
      Published{"resnext50_32x4d", 25028904, 53}, Published{"resnext101_32x8d", 88791336, 104},
      Published{"resnext101_64x4d", 83455272, 104}, Published{"wide_resnet50_2", 68883240, 53},
      Published{"wide_resnet101_2", 126886696, 104}, Published{"mobilenet_v2", 3504872, 52},
      Published{"mnasnet0_5", 2218512, 52}, Published{"mnasnet0_75", 3170208, 52}, Published{"mnasnet1_0", 4383312, 52},
      Published{"mnasnet1_3", 6282256, 52}, Published{"shufflenet_v2_x0_5", 1366792, 56},
      Published{"shufflenet_v2_x1_0", 2278604, 56}, Published{"shufflenet_v2_x1_5", 3503624, 56},
      Published{"shufflenet_v2_x2_0", 7393996, 56}, Published{"mobilenet_v3_large", 5483032, 46},
      Published{"mobilenet_v3_small", 2542856, 34}, Published{"efficientnet_b0", 5288548, 49},
      Published{"efficientnet_b1", 7794184, 69}, Published{"efficientnet_b2", 9109994, 69},
      Published{"efficientnet_b3", 12233232, 78}, Published{"efficientnet_b4", 19341616, 96},
      Published{"efficientnet_b5", 30389784, 116}, Published{"efficientnet_b6", 43040704, 134},
      Published{"efficientnet_b7", 66347960, 163}, Published{"efficientnet_v2_s", 21458488, 110},
      Published{"efficientnet_v2_m", 54139356, 157}, Published{"efficientnet_v2_l", 118515272, 217},
      Published{"regnet_x_400mf", 5495976, 71}, Published{"regnet_x_800mf", 7259656, 53},
      Published{"regnet_x_1_6gf", 9190136, 59}, Published{"regnet_x_3_2gf", 15296552, 80},
      Published{"regnet_x_8gf", 39572648, 74}, Published{"regnet_x_16gf", 54278536, 71},
      Published{"regnet_x_32gf", 107811560, 74}, Published{"regnet_y_400mf", 4344144, 53},
      Published{"regnet_y_800mf", 6432512, 47}, Published{"regnet_y_1_6gf", 11202430, 86},
      Published{"regnet_y_3_2gf", 19436338, 68}, Published{"regnet_y_8gf", 39381472, 56},
      Published{"regnet_y_16gf", 83590140, 59}, Published{"regnet_y_32gf", 145046770, 65},
      Published{"googlenet", 6624904, 57}, Published{"inception_v3", 23834568, 94},
      Published{"cifar_wrn28_10", 36479194, 25}, Published{"cifar_wrn40_2", 2243546, 37},
      Published{"chexnet", 6968206, 121}, Published{"xrv_densenet121", 6966034, 121});
  CAPTURE(p.name);
  graph::Graph g = zoo::architecture(p.name).build({});
  graph::infer_shapes(g);
  CHECK(trainable(g) == p.parameters);
  CHECK(graph::batch_norms(g).size() == p.batch_norms);
  CHECK(*g.value(g.outputs().front()).shape == Shape{1, zoo::architecture(p.name).classes});
}

// Law: the document lists what the program knows. When this fails, put the table that it prints between the markers.
TEST_CASE("docs/formats.md has the table of all architectures", "[zoo]") {
  std::string table = "| name | input | outputs | parameters | BatchNorms |\n|---|---|---|---|---|\n";
  for (const zoo::Architecture& a : zoo::architectures()) {
    const graph::Graph g = a.build({});
    table += fmt::format("| `{}` | {} x {} x {} | {}{} | {:.1f} M | {} |\n", a.name, a.channels, a.side, a.side,
                         a.classes, a.sigmoid ? " sigmoids" : "", static_cast<double>(trainable(g)) / 1e6,
                         graph::batch_norms(g).size());
  }
  const std::vector<std::byte> document = read_file(test::source_root() / "docs/formats.md");
  const std::string_view text = as_text(document);
  constexpr std::string_view kBegin = "<!-- architectures -->\n", kEnd = "<!-- end -->\n";
  const std::size_t begin = text.find(kBegin), end = text.find(kEnd);
  REQUIRE(begin < end);
  REQUIRE(end != std::string_view::npos);
  CHECK(std::string(text.substr(begin + kBegin.size(), end - begin - kBegin.size())) == table);
}

// Oracle: densenet121 of torchvision 0.1 and 0.14; the second is what torchvision's _load_state_dict makes of the
// first.
TEST_CASE("Old names of DenseNet are read as today's", "[zoo]") {
  const zoo::Architecture& chexnet = zoo::architecture("chexnet");
  CHECK(chexnet.modern_name("module.densenet121.features.denseblock1.denselayer1.norm.1.weight") ==
        "module.features.denseblock1.denselayer1.norm1.weight");
  CHECK(chexnet.modern_name("densenet121.classifier.0.bias") == "classifier.0.bias");
  const zoo::Architecture& densenet = zoo::architecture("densenet201");
  CHECK(densenet.modern_name("features.denseblock4.denselayer12.conv.2.weight") ==
        "features.denseblock4.denselayer12.conv2.weight");
  CHECK(densenet.modern_name("features.transition1.norm.weight") == "features.transition1.norm.weight");
}

// Oracle: torchxrayvision's op_norm: y / 2t below the point t, 1 - (1 - y) / 2(1 - t) above.
TEST_CASE("Operating points outside (0, 1) or of another number are refused", "[zoo]") {
  const zoo::Architecture& xrv = zoo::architecture("xrv_densenet121");
  CHECK_THROWS_WITH(xrv.build({.classes = 2, .thresholds = {0.5f}}), Contains("1 operating points for 2 outputs"));
  CHECK_THROWS_WITH(xrv.build({.classes = 1, .thresholds = {1.5f}}), Contains("an operating point is 1.5"));
}

// Law: the shapes asked for are the shapes built.
TEST_CASE("Every architecture builds for other classes, sides and channels", "[zoo]") {
  for (const zoo::Architecture& a : zoo::architectures()) {
    CAPTURE(a.name);
    graph::Graph g = a.build({.classes = 3, .height = 96, .width = 128, .channels = 1});
    graph::infer_shapes(g);
    CHECK(*g.value(g.outputs().front()).shape == Shape{1, 3});
    CHECK(*g.value(g.input()).shape == Shape{1, 1, 96, 128});
  }
}

// Law: the nearest name is suggested.
TEST_CASE("An unknown architecture names the nearest", "[zoo]") {
  CHECK_THROWS_AS(zoo::architecture("resnet5"), ConfigError);
  CHECK_THROWS_WITH(zoo::architecture("cifar_resnet21"),
                    Contains("architecture 'cifar_resnet21' is not known (nearest is 'cifar_resnet20')"));
}
