#include <algorithm>

#include "canvas.hpp"

namespace shiftnorm::imaging {
namespace {

Canvas photon_noise(const Canvas& x, double photons, Random& random) {
  Canvas out = x.clone();
  for_each_element(out, [&](float v) {
    return static_cast<float>(random.poisson(std::max(0.0, static_cast<double>(v)) * photons) / photons);
  });
  return out;
}

}  // namespace

Canvas gaussian_noise(const Canvas& x, const ShiftContext& context) {
  static constexpr double kSmall[] = {0.04, 0.06, 0.08, 0.09, 0.10}, kLarge[] = {0.08, 0.12, 0.18, 0.26, 0.38};
  const double sigma = context.pick(kSmall, kLarge);
  Canvas out = x.clone();
  for_each_element(out, [&](float v) { return static_cast<float>(v + sigma * context.random.normal()); });
  return out;
}

Canvas shot_noise(const Canvas& x, const ShiftContext& context) {
  static constexpr double kSmall[] = {500, 250, 100, 75, 50}, kLarge[] = {60, 25, 12, 5, 3};
  return photon_noise(x, context.pick(kSmall, kLarge), context.random);
}

Canvas impulse_noise(const Canvas& x, const ShiftContext& context) {
  static constexpr double kSmall[] = {0.01, 0.02, 0.03, 0.05, 0.07}, kLarge[] = {0.03, 0.06, 0.09, 0.17, 0.27};
  const double share = context.pick(kSmall, kLarge);
  Canvas out = x.clone();
  for_each_element(out, [&](float v) {
    if (context.random.uniform() >= share) return v;
    return context.random.uniform() < 0.5 ? 1.0f : 0.0f;
  });
  return out;
}

Canvas quantum_noise(const Canvas& x, const ShiftContext& context) {
  static constexpr double kPhotons[] = {400, 200, 100, 50, 25};
  constexpr double kDetector = 0.6;  // pixels: the light of one photon spreads in the scintillator
  return gaussian(photon_noise(x, context.pick(kPhotons), context.random), kDetector);
}

}  // namespace shiftnorm::imaging
