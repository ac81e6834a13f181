#include <fmt/format.h>

#include <array>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/imaging/transform.hpp"

namespace shiftnorm::imaging {
namespace {

Normalize imagenet_normalize() { return {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}}; }

// ToFloat without a scale: x / 255 for 8 bits, and 16-bit images land in [0, 1] as well.

/// torchvision's evaluation transform for its ImageNet classifiers (weights V1).
std::vector<Step> imagenet() { return {Resize{.size = 256}, CenterCrop{224, 224}, ToFloat{}, imagenet_normalize()}; }

/// akamaster/pytorch_resnet_cifar10 normalises 32 x 32 images with ImageNet's constants.
std::vector<Step> cifar10() { return {ToFloat{}, imagenet_normalize()}; }

struct Preset {
  std::string_view name;
  std::vector<Step> (*steps)();
};
constexpr std::array<Preset, 2> kPresets{{{"cifar10", cifar10}, {"imagenet", imagenet}}};

}  // namespace

Pipeline preset(const std::string& name) {
  for (const Preset& preset : kPresets)
    if (preset.name == name) return {name, preset.steps()};
  const std::vector<std::string> known = preset_names();
  const std::string near = nearest(name, known);
  throw ConfigError(fmt::format("preset '{}' is unknown{}; expected one of {}", printable(name),
                                near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near), join(known)));
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : kPresets) names.emplace_back(preset.name);
  return names;
}

}  // namespace shiftnorm::imaging
