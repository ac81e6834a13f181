#include "anatomy.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace shiftnorm::phantom {
namespace {

/// 0 below `low`, 1 above `high`, a cubic between.
double smoothstep(double low, double high, double x) {
  const double t = std::clamp((x - low) / (high - low), 0.0, 1.0);
  return t * t * (3 - 2 * t);
}

/// Coordinates run over [-1, 1], x to the right of the picture and y downwards.
struct Ellipse {
  double x, y, half_width, half_height;
  double softness;  ///< width of the edge as a share of the radius

  /// 1 inside, 0 outside.
  [[nodiscard]] double cover(double px, double py) const {
    const double u = (px - x) / half_width;
    const double v = (py - y) / half_height;
    return 1 - smoothstep(1 - softness, 1 + softness, std::sqrt(u * u + v * v));
  }
};

/// Everything about one patient that is drawn by chance.
struct Patient {
  double scale, shift_x, shift_y, shear, trunk_density, lung_density, rib_contrast, rib_phase, rib_pitch;
  Ellipse left_lung, right_lung, heart;
  double diaphragm_left, diaphragm_right;  ///< height of its domes
  std::vector<Ellipse> vessels;            ///< small densities of a healthy lung
  Ellipse nodule{};
  double nodule_density = 0;
  double effusion_level = 2;  ///< y of the fluid's surface; 2: below the picture
  double effusion_side = 1;
};

/// A point inside one of the lungs, away from heart and edges.
Ellipse in_lung(Random& random, double radius, double softness) {
  const double side = random.uniform(0, 1) < 0.5 ? -1 : 1;
  const double x = side > 0 ? random.uniform(0.36, 0.58) : random.uniform(-0.58, -0.26);
  const double low = side > 0 ? 0.05 : 0.30;  // the heart lies low on the picture's right
  return {x, random.uniform(-0.50, low), radius, radius * random.uniform(0.85, 1.15), softness};
}

Patient draw(Finding finding, Random& random, Random& stance) {
  Patient p{};
  p.scale = random.uniform(0.92, 1.08);
  p.shift_x = stance.uniform(-0.06, 0.06);
  p.shift_y = stance.uniform(-0.06, 0.06);
  p.shear = stance.uniform(-0.05, 0.05);
  p.trunk_density = random.uniform(0.60, 0.68);
  p.lung_density = random.uniform(0.34, 0.40);
  p.rib_contrast = random.uniform(0.05, 0.08);
  p.rib_phase = random.uniform(0, 1);
  p.rib_pitch = random.uniform(0.20, 0.24);
  p.left_lung = {-0.42, -0.02, random.uniform(0.27, 0.31), random.uniform(0.66, 0.72), 0.08};
  p.right_lung = {0.42, -0.02, random.uniform(0.27, 0.31), random.uniform(0.66, 0.72), 0.08};
  p.diaphragm_left = random.uniform(0.48, 0.56);
  p.diaphragm_right = random.uniform(0.52, 0.60);
  const double heart_width = finding == Finding::cardiomegaly ? random.uniform(0.31, 0.44) : random.uniform(0.22, 0.29);
  p.heart = {0.02 + 0.38 * heart_width, random.uniform(0.26, 0.32), heart_width,
             random.uniform(0.28, 0.32) + 0.2 * (heart_width - 0.25), 0.10};
  for (int i = 0; i < 10; ++i) p.vessels.push_back(in_lung(random, random.uniform(0.015, 0.035), 0.5));
  if (finding == Finding::nodule) {
    p.nodule = in_lung(random, random.uniform(0.06, 0.11), 0.25);
    p.nodule_density = random.uniform(0.16, 0.28);
  }
  if (finding == Finding::effusion) {
    p.effusion_level = random.uniform(0.15, 0.46);
    p.effusion_side = random.uniform(0, 1) < 0.5 ? -1 : 1;
  }
  return p;
}

/// Density of the patient at one point.
double density(const Patient& p, double picture_x, double picture_y) {
  const double x = (picture_x - p.shift_x) / p.scale + p.shear * picture_y;
  const double y = (picture_y - p.shift_y) / p.scale;
  const double trunk = Ellipse{0, 0.25, 0.90, 1.25, 0.04}.cover(x, y);
  double lung = std::max(p.left_lung.cover(x, y), p.right_lung.cover(x, y));
  // Each dome of the diaphragm ends its lung; it hangs lower towards the flank.
  const double dome =
      (x < 0 ? p.diaphragm_left : p.diaphragm_right) + 0.9 * (std::abs(x) - 0.38) * (std::abs(x) - 0.38);
  lung *= 1 - smoothstep(dome - 0.03, dome + 0.03, y);

  double value = 0.04 + (p.trunk_density - 0.04) * trunk;
  double air = (p.trunk_density - p.lung_density) * lung;
  if (x * p.effusion_side > 0) {
    // The meniscus climbs towards the flank.
    const double surface = p.effusion_level - 0.5 * std::max(0.0, std::abs(x) - 0.40);
    air *= 1 - 0.92 * smoothstep(surface - 0.05, surface + 0.05, y);
  }
  const double heart = p.heart.cover(x, y);
  air *= 1 - 0.9 * heart;
  value -= air;
  value += 0.14 * (1 - smoothstep(0.05, 0.11, std::abs(x))) * trunk;                       // spine and mediastinum
  const double arc = (y + 0.55 * x * x - 0.12 * std::abs(x)) / p.rib_pitch + p.rib_phase;  // ribs fall off to the sides
  const double within = std::abs(arc - std::floor(arc) - 0.5);
  value += p.rib_contrast * (1 - smoothstep(0.10, 0.18, within)) * trunk * (1 - smoothstep(0.45, 0.60, y));
  for (const Ellipse& vessel : p.vessels) value += 0.06 * vessel.cover(x, y) * lung;
  value += p.nodule_density * (p.nodule_density > 0 ? p.nodule.cover(x, y) : 0) * lung;
  return std::clamp(value, 0.0, 1.0);
}

}  // namespace

Picture chest(Finding finding, std::size_t side, Random& body, Random& stance) {
  const Patient patient = draw(finding, body, stance);
  constexpr std::size_t kSamples = 3;  // per pixel and direction: edges are averaged, not aliased
  Picture picture(side);
  const double step = 2.0 / static_cast<double>(side * kSamples);
  for (std::size_t row = 0; row < side * kSamples; ++row)
    for (std::size_t column = 0; column < side * kSamples; ++column)
      picture.at(row / kSamples, column / kSamples) +=
          density(patient, (static_cast<double>(column) + 0.5) * step - 1, (static_cast<double>(row) + 0.5) * step - 1);
  for (double& value : picture.values) value /= kSamples * kSamples;
  return picture;
}

}  // namespace shiftnorm::phantom
