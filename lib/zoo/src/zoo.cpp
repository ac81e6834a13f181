#include "shiftnorm/zoo/zoo.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "families.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::zoo {
namespace {

constexpr std::array kArchitectures{
    Architecture{"cifar_resnet110", "linear.weight", "conv1.weight", 10, 32, 3, build_cifar_resnet<110>},
    Architecture{"cifar_resnet20", "linear.weight", "conv1.weight", 10, 32, 3, build_cifar_resnet<20>},
    Architecture{"cifar_resnet32", "linear.weight", "conv1.weight", 10, 32, 3, build_cifar_resnet<32>},
    Architecture{"cifar_resnet44", "linear.weight", "conv1.weight", 10, 32, 3, build_cifar_resnet<44>},
    Architecture{"cifar_resnet56", "linear.weight", "conv1.weight", 10, 32, 3, build_cifar_resnet<56>},
    Architecture{"densenet121", "classifier.weight", "features.conv0.weight", 1000, 224, 3, build_densenet<121>},
    Architecture{"densenet161", "classifier.weight", "features.conv0.weight", 1000, 224, 3, build_densenet<161>},
    Architecture{"densenet169", "classifier.weight", "features.conv0.weight", 1000, 224, 3, build_densenet<169>},
    Architecture{"densenet201", "classifier.weight", "features.conv0.weight", 1000, 224, 3, build_densenet<201>},
    Architecture{"resnet101", "fc.weight", "conv1.weight", 1000, 224, 3, build_resnet<101>},
    Architecture{"resnet152", "fc.weight", "conv1.weight", 1000, 224, 3, build_resnet<152>},
    Architecture{"resnet18", "fc.weight", "conv1.weight", 1000, 224, 3, build_resnet<18>},
    Architecture{"resnet34", "fc.weight", "conv1.weight", 1000, 224, 3, build_resnet<34>},
    Architecture{"resnet50", "fc.weight", "conv1.weight", 1000, 224, 3, build_resnet<50>},
    Architecture{"resnext101_32x8d", "fc.weight", "conv1.weight", 1000, 224, 3, build_resnet<101, 32, 8>},
    Architecture{"resnext101_64x4d", "fc.weight", "conv1.weight", 1000, 224, 3, build_resnet<101, 64, 4>},
    Architecture{"resnext50_32x4d", "fc.weight", "conv1.weight", 1000, 224, 3, build_resnet<50, 32, 4>},
    Architecture{"vgg11_bn", "classifier.6.weight", "features.0.weight", 1000, 224, 3, build_vgg_bn<11>},
    Architecture{"vgg13_bn", "classifier.6.weight", "features.0.weight", 1000, 224, 3, build_vgg_bn<13>},
    Architecture{"vgg16_bn", "classifier.6.weight", "features.0.weight", 1000, 224, 3, build_vgg_bn<16>},
    Architecture{"vgg19_bn", "classifier.6.weight", "features.0.weight", 1000, 224, 3, build_vgg_bn<19>},
    Architecture{"wide_resnet101_2", "fc.weight", "conv1.weight", 1000, 224, 3, build_resnet<101, 1, 128>},
    Architecture{"wide_resnet50_2", "fc.weight", "conv1.weight", 1000, 224, 3, build_resnet<50, 1, 128>},
};
static_assert(std::is_sorted(kArchitectures.begin(), kArchitectures.end(),
                             [](const Architecture& a, const Architecture& b) { return a.name < b.name; }));

}  // namespace

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
