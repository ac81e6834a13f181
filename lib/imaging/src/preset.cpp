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

/// What grey pictures need to enter a network of three channels that was trained from ImageNet's weights.
std::vector<Step> rgb224(Voi voi) {
  return {std::move(voi), Resize{.height = 224, .width = 224}, Convert{3}, ToFloat{}, imagenet_normalize()};
}

// Who trains this way is noted beside the same steps in configs/presets/<name>.yaml; a test compares the two.

std::vector<Step> cxr_chexnet() { return rgb224({.rule = VoiRule::file, .quantize8 = true}); }

/// 2048 (y - 0.5): from -1024 to 1024.
std::vector<Step> cxr_torchxrayvision() {
  return {Voi{.rule = VoiRule::bits},      Resize{.size = 224}, CenterCrop{224, 224}, Convert{1}, ToFloat{},
          Normalize{{0.5}, {1.0 / 2048.0}}};
}

std::vector<Step> ct_head_3windows() {
  return rgb224({.rule = VoiRule::window, .windows = {{40, 80}, {80, 200}, {40, 380}}});
}

std::vector<Step> ct_lung() { return rgb224({.rule = VoiRule::window, .windows = {{-600, 1500}}}); }

std::vector<Step> mammography() {
  return {Voi{.rule = VoiRule::minmax}, Resize{.height = 1024, .width = 512}, Convert{3}, ToFloat{},
          imagenet_normalize()};
}

std::vector<Step> mr_percentile() { return rgb224({.rule = VoiRule::percentile, .low = 0.5, .high = 99.5}); }

struct Preset {
  std::string_view name;
  std::vector<Step> (*steps)();
};
constexpr std::array<Preset, 8> kPresets{{{"cifar10", cifar10},
                                          {"ct-head-3windows", ct_head_3windows},
                                          {"ct-lung", ct_lung},
                                          {"cxr-chexnet", cxr_chexnet},
                                          {"cxr-torchxrayvision", cxr_torchxrayvision},
                                          {"imagenet", imagenet},
                                          {"mammography", mammography},
                                          {"mr-percentile", mr_percentile}}};

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
  names.reserve(std::size(kPresets));
  for (const Preset& preset : kPresets) names.emplace_back(preset.name);
  return names;
}

}  // namespace shiftnorm::imaging
