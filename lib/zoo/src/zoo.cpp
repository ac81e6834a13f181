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
    Architecture{"resnet101", "fc.weight", "conv1.weight", 1000, 224, 3, build_resnet<101>},
    Architecture{"resnet152", "fc.weight", "conv1.weight", 1000, 224, 3, build_resnet<152>},
    Architecture{"resnet18", "fc.weight", "conv1.weight", 1000, 224, 3, build_resnet<18>},
    Architecture{"resnet34", "fc.weight", "conv1.weight", 1000, 224, 3, build_resnet<34>},
    Architecture{"resnet50", "fc.weight", "conv1.weight", 1000, 224, 3, build_resnet<50>},
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
