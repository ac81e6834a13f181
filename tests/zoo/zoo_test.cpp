#include "shiftnorm/zoo/zoo.hpp"

#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/graph/shapes.hpp"

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
  const auto p = GENERATE(Published{"resnet18", 11689512, 20}, Published{"resnet34", 21797672, 36},
                          Published{"resnet50", 25557032, 53}, Published{"resnet101", 44549160, 104},
                          Published{"resnet152", 60192808, 155}, Published{"cifar_resnet20", 269722, 19},
                          Published{"cifar_resnet32", 464154, 31}, Published{"cifar_resnet44", 658586, 43},
                          Published{"cifar_resnet56", 853018, 55}, Published{"cifar_resnet110", 1727962, 109},
                          Published{"densenet121", 7978856, 121}, Published{"densenet161", 28681000, 161},
                          Published{"densenet169", 14149480, 169}, Published{"densenet201", 20013928, 201},
                          Published{"vgg11_bn", 132868840, 8}, Published{"vgg13_bn", 133053736, 10},
                          Published{"vgg16_bn", 138365992, 13}, Published{"vgg19_bn", 143678248, 16},
                          Published{"resnext50_32x4d", 25028904, 53}, Published{"resnext101_32x8d", 88791336, 104},
                          Published{"resnext101_64x4d", 83455272, 104}, Published{"wide_resnet50_2", 68883240, 53},
                          Published{"wide_resnet101_2", 126886696, 104});
  CAPTURE(p.name);
  graph::Graph g = zoo::architecture(p.name).build({});
  graph::infer_shapes(g);
  CHECK(trainable(g) == p.parameters);
  CHECK(graph::batch_norms(g).size() == p.batch_norms);
  CHECK(*g.value(g.outputs().front()).shape == Shape{1, zoo::architecture(p.name).classes});
}

TEST_CASE("Every architecture builds for other classes, sides and channels", "[zoo]") {
  for (const zoo::Architecture& a : zoo::architectures()) {
    CAPTURE(a.name);
    graph::Graph g = a.build({.classes = 3, .height = 64, .width = 96, .channels = 1});
    graph::infer_shapes(g);
    CHECK(*g.value(g.outputs().front()).shape == Shape{1, 3});
    CHECK(*g.value(g.input()).shape == Shape{1, 1, 64, 96});
  }
}

TEST_CASE("An unknown architecture names the nearest", "[zoo]") {
  CHECK_THROWS_AS(zoo::architecture("resnet5"), ConfigError);
  CHECK_THROWS_WITH(zoo::architecture("cifar_resnet21"),
                    Contains("architecture 'cifar_resnet21' is not known (nearest is 'cifar_resnet20')"));
}
