#include "shiftnorm/zoo/zoo.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "families.hpp"
#include "held_parameters.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::zoo {
namespace {

constexpr std::array kArchitectures{
    Architecture{"chexnet", "classifier", "features.conv0.weight", 14, 224, 3, build_chexnet, modern_chexnet_name,
                 true},
    Architecture{"cifar_resnet110", "linear", "conv1.weight", 10, 32, 3, build_cifar_resnet<110>},
    Architecture{"cifar_resnet20", "linear", "conv1.weight", 10, 32, 3, build_cifar_resnet<20>},
    Architecture{"cifar_resnet32", "linear", "conv1.weight", 10, 32, 3, build_cifar_resnet<32>},
    Architecture{"cifar_resnet44", "linear", "conv1.weight", 10, 32, 3, build_cifar_resnet<44>},
    Architecture{"cifar_resnet56", "linear", "conv1.weight", 10, 32, 3, build_cifar_resnet<56>},
    Architecture{"cifar_wrn28_10", "fc", "conv1.weight", 10, 32, 3, build_cifar_wide_resnet<28, 10>},
    Architecture{"cifar_wrn40_2", "fc", "conv1.weight", 10, 32, 3, build_cifar_wide_resnet<40, 2>},
    Architecture{"densenet121", "classifier", "features.conv0.weight", 1000, 224, 3, build_densenet<121>,
                 modern_densenet_name},
    Architecture{"densenet161", "classifier", "features.conv0.weight", 1000, 224, 3, build_densenet<161>,
                 modern_densenet_name},
    Architecture{"densenet169", "classifier", "features.conv0.weight", 1000, 224, 3, build_densenet<169>,
                 modern_densenet_name},
    Architecture{"densenet201", "classifier", "features.conv0.weight", 1000, 224, 3, build_densenet<201>,
                 modern_densenet_name},
    Architecture{"efficientnet_b0", "classifier", "features.0.0.weight", 1000, 224, 3, build_efficientnet_b<0>},
    Architecture{"efficientnet_b1", "classifier", "features.0.0.weight", 1000, 240, 3, build_efficientnet_b<1>},
    Architecture{"efficientnet_b2", "classifier", "features.0.0.weight", 1000, 288, 3, build_efficientnet_b<2>},
    Architecture{"efficientnet_b3", "classifier", "features.0.0.weight", 1000, 300, 3, build_efficientnet_b<3>},
    Architecture{"efficientnet_b4", "classifier", "features.0.0.weight", 1000, 380, 3, build_efficientnet_b<4>},
    Architecture{"efficientnet_b5", "classifier", "features.0.0.weight", 1000, 456, 3, build_efficientnet_b<5>},
    Architecture{"efficientnet_b6", "classifier", "features.0.0.weight", 1000, 528, 3, build_efficientnet_b<6>},
    Architecture{"efficientnet_b7", "classifier", "features.0.0.weight", 1000, 600, 3, build_efficientnet_b<7>},
    Architecture{"efficientnet_v2_l", "classifier", "features.0.0.weight", 1000, 480, 3, build_efficientnet_v2_l},
    Architecture{"efficientnet_v2_m", "classifier", "features.0.0.weight", 1000, 480, 3, build_efficientnet_v2_m},
    Architecture{"efficientnet_v2_s", "classifier", "features.0.0.weight", 1000, 384, 3, build_efficientnet_v2_s},
    Architecture{"googlenet", "fc", "conv1.conv.weight", 1000, 224, 3, build_googlenet},
    Architecture{"inception_v3", "fc", "Conv2d_1a_3x3.conv.weight", 1000, 299, 3, build_inception_v3},
    Architecture{"mnasnet0_5", "classifier", "layers.0.weight", 1000, 224, 3, build_mnasnet<50>},
    Architecture{"mnasnet0_75", "classifier", "layers.0.weight", 1000, 224, 3, build_mnasnet<75>},
    Architecture{"mnasnet1_0", "classifier", "layers.0.weight", 1000, 224, 3, build_mnasnet<100>},
    Architecture{"mnasnet1_3", "classifier", "layers.0.weight", 1000, 224, 3, build_mnasnet<130>},
    Architecture{"mobilenet_v2", "classifier", "features.0.0.weight", 1000, 224, 3, build_mobilenet_v2},
    Architecture{"mobilenet_v3_large", "classifier", "features.0.0.weight", 1000, 224, 3, build_mobilenet_v3_large},
    Architecture{"mobilenet_v3_small", "classifier", "features.0.0.weight", 1000, 224, 3, build_mobilenet_v3_small},
    Architecture{"regnet_x_16gf", "fc", "stem.0.weight", 1000, 224, 3, build_regnet_x<5>},
    Architecture{"regnet_x_1_6gf", "fc", "stem.0.weight", 1000, 224, 3, build_regnet_x<2>},
    Architecture{"regnet_x_32gf", "fc", "stem.0.weight", 1000, 224, 3, build_regnet_x<6>},
    Architecture{"regnet_x_3_2gf", "fc", "stem.0.weight", 1000, 224, 3, build_regnet_x<3>},
    Architecture{"regnet_x_400mf", "fc", "stem.0.weight", 1000, 224, 3, build_regnet_x<0>},
    Architecture{"regnet_x_800mf", "fc", "stem.0.weight", 1000, 224, 3, build_regnet_x<1>},
    Architecture{"regnet_x_8gf", "fc", "stem.0.weight", 1000, 224, 3, build_regnet_x<4>},
    Architecture{"regnet_y_128gf", "fc", "stem.0.weight", 1000, 224, 3, build_regnet_y<7>},
    Architecture{"regnet_y_16gf", "fc", "stem.0.weight", 1000, 224, 3, build_regnet_y<5>},
    Architecture{"regnet_y_1_6gf", "fc", "stem.0.weight", 1000, 224, 3, build_regnet_y<2>},
    Architecture{"regnet_y_32gf", "fc", "stem.0.weight", 1000, 224, 3, build_regnet_y<6>},
    Architecture{"regnet_y_3_2gf", "fc", "stem.0.weight", 1000, 224, 3, build_regnet_y<3>},
    Architecture{"regnet_y_400mf", "fc", "stem.0.weight", 1000, 224, 3, build_regnet_y<0>},
    Architecture{"regnet_y_800mf", "fc", "stem.0.weight", 1000, 224, 3, build_regnet_y<1>},
    Architecture{"regnet_y_8gf", "fc", "stem.0.weight", 1000, 224, 3, build_regnet_y<4>},
    Architecture{"resnet101", "fc", "conv1.weight", 1000, 224, 3, build_resnet<101>},
    Architecture{"resnet152", "fc", "conv1.weight", 1000, 224, 3, build_resnet<152>},
    Architecture{"resnet18", "fc", "conv1.weight", 1000, 224, 3, build_resnet<18>},
    Architecture{"resnet34", "fc", "conv1.weight", 1000, 224, 3, build_resnet<34>},
    Architecture{"resnet50", "fc", "conv1.weight", 1000, 224, 3, build_resnet<50>},
    Architecture{"resnext101_32x8d", "fc", "conv1.weight", 1000, 224, 3, build_resnet<101, 32, 8>},
    Architecture{"resnext101_64x4d", "fc", "conv1.weight", 1000, 224, 3, build_resnet<101, 64, 4>},
    Architecture{"resnext50_32x4d", "fc", "conv1.weight", 1000, 224, 3, build_resnet<50, 32, 4>},
    Architecture{"shufflenet_v2_x0_5", "fc", "conv1.0.weight", 1000, 224, 3, build_shufflenet_v2<50>},
    Architecture{"shufflenet_v2_x1_0", "fc", "conv1.0.weight", 1000, 224, 3, build_shufflenet_v2<100>},
    Architecture{"shufflenet_v2_x1_5", "fc", "conv1.0.weight", 1000, 224, 3, build_shufflenet_v2<150>},
    Architecture{"shufflenet_v2_x2_0", "fc", "conv1.0.weight", 1000, 224, 3, build_shufflenet_v2<200>},
    Architecture{"vgg11_bn", "classifier", "features.0.weight", 1000, 224, 3, build_vgg_bn<11>},
    Architecture{"vgg13_bn", "classifier", "features.0.weight", 1000, 224, 3, build_vgg_bn<13>},
    Architecture{"vgg16_bn", "classifier", "features.0.weight", 1000, 224, 3, build_vgg_bn<16>},
    Architecture{"vgg19_bn", "classifier", "features.0.weight", 1000, 224, 3, build_vgg_bn<19>},
    Architecture{"wide_resnet101_2", "fc", "conv1.weight", 1000, 224, 3, build_resnet<101, 1, 128>},
    Architecture{"wide_resnet50_2", "fc", "conv1.weight", 1000, 224, 3, build_resnet<50, 1, 128>},
    Architecture{"xrv_densenet121", "classifier", "features.conv0.weight", 18, 224, 1, build_xrv_densenet121,
                 modern_densenet_name, true, "op_threshs"},
};
static_assert(std::is_sorted(kArchitectures.begin(), kArchitectures.end(),
                             [](const Architecture& a, const Architecture& b) { return a.name < b.name; }));

}  // namespace

void HeldShapes::add(std::string name, Shape shape) {
  if (place_of_.try_emplace(name, all_.size()).second) all_.emplace_back(std::move(name), std::move(shape));
}

const HeldChain* HeldShapes::chain(std::string_view path) const {
  const auto at = chains_.find(path);
  return at == chains_.end() ? nullptr : &at->second;
}

const Shape* HeldShapes::find(std::string_view name) const {
  const auto at = place_of_.find(name);
  return at == place_of_.end() ? nullptr : &all_[at->second].second;
}

graph::Graph build(const Architecture& architecture, const BuildOptions& options) {
  graph::Graph graph = architecture.build(options);
  if (options.held != nullptr) fit_parameters(graph, *options.held);
  return graph;
}

std::span<const Architecture> architectures() { return kArchitectures; }

const Architecture& architecture(std::string_view name) {
  std::vector<std::string> names;
  for (const Architecture& a : kArchitectures) {
    if (a.name == name) return a;
    names.emplace_back(a.name);
  }
  const std::string near = nearest(name, names);
  throw ConfigError(fmt::format("architecture '{}' is not known{}; expected one of {}", printable(name),
                                near.empty() ? "" : fmt::format(" (nearest is '{}')", near), join(names, 100)));
}

}  // namespace shiftnorm::zoo
