#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/stats/measured_facts.hpp"
#include "shiftnorm/stats/statistics.hpp"

namespace shiftnorm::stats {

/// Class-wise sums of one BatchNorm over the images of a sample, per class and channel (row-major):
///   mean    of q a, a an image's mean around the pivot
///   square  of q b, b its mean square around the pivot
/// where q is the share in which the image is of the class. They are whole numbers of 2^(exponent - kFraction) and
/// 2^(2 exponent - kFraction), 2^exponent being the power of two above the source's deviation: sums of them have the
/// same bits for any order and grouping, and references of several sites add up.
struct ReferenceLayer {
  std::string name;
  std::vector<float> pivot;            ///< per channel, the source's running mean
  std::vector<std::int32_t> exponent;  ///< per channel
  std::vector<std::int64_t> mean, square;

  static constexpr int kFraction = 32;  ///< an addend is off by at most 2^-33 deviations, 2^-33 variances

  [[nodiscard]] std::size_t channels() const noexcept { return pivot.size(); }
};

/// First and second moments of an activation, per channel, around zero.
struct Moments {
  std::vector<double> mean, square;
};

/// Moments of the inputs of every BatchNorm in the untouched source network, by class: what `matched` statistics are
/// measured against. No image is in it. A network of one choice among K classes has K groups; one of F findings has
/// 2 F, finding f's absent (2 f) and present (2 f + 1).
struct Reference : MeasuredFacts {
  bool findings = false;  ///< of several findings per image
  bool labelled = false;  ///< images counted by their labels; else by the network's own probabilities
  std::vector<std::string> classes;
  std::vector<std::int64_t> counts;   ///< per group: sum of q, in units of 1 / kUnit
  std::vector<std::int64_t> outputs;  ///< [groups, classes]: sum of q p, p the network's probabilities, in 1 / kUnit
  std::vector<ReferenceLayer> layers;

  static constexpr double kUnit = 16777216;  ///< 2^24

  [[nodiscard]] std::size_t groups() const noexcept { return counts.size(); }
  /// Sum of q over the images: how many of them a group amounts to.
  [[nodiscard]] double images_of(std::size_t group) const;
  /// Whether the sample has any of it: moments of less than half an image would be rounding.
  [[nodiscard]] bool has(std::size_t group) const { return images_of(group) >= 0.5; }
  /// Of each class, its share of the images; of each finding, the share where it is present.
  [[nodiscard]] std::vector<double> shares() const;
  /// Of the images of a group; it has some.
  [[nodiscard]] Moments moments(std::size_t layer, std::size_t group) const;
  /// Mean and variance that a layer has on images of this mixture: `shares` of groups that add up to 1. Groups without
  /// a share take no part. Around the pivot inside, so that no digits are lost.
  [[nodiscard]] LayerStatistics mixture(std::size_t layer,
                                        std::span<const std::pair<std::size_t, double>> shares) const;

  /// One image: its shares of the groups, its probabilities of the classes.
  void add_image(std::span<const double> q, std::span<const double> probabilities);
  /// The same image in a layer: sums over its values of (x - pivot) and its square, per channel.
  /// Errors  FormatError naming the layer where an activation lies 2^20 deviations off, or for too many images.
  void add_moments(std::size_t layer, std::span<const double> q, std::span<const double> sum,
                   std::span<const double> square, std::int64_t values);
};

/// Layers and groups for sums of zero. `epsilons`: per layer; with the source's variance they give the units.
[[nodiscard]] Reference empty_reference(const Statistics& source, std::span<const double> epsilons,
                                        std::vector<std::string> classes, bool findings);

/// A `.bnref` file (docs/reference/reference-file.md).
[[nodiscard]] std::vector<std::byte> write_reference(const Reference& reference);
/// Whether the bytes say of themselves that they are one.
[[nodiscard]] bool is_reference(std::span<const std::byte> bytes);
/// Errors  FormatError in one line for anything that write_reference() would not have written.
[[nodiscard]] Reference read_reference(std::span<const std::byte> bytes);

/// A reference and what messages call it.
struct NamedReference {
  std::string name;
  Reference reference;
};
/// As if all images had been measured in one run, to the last bit; the order of the parts does not matter.
/// Errors  ConfigError for parts of another network, preprocessing or instruction set, of other classes, one labelled
///         and one not, or of the same images; fewer than two parts.
[[nodiscard]] Reference merged(std::span<const NamedReference> parts);

}  // namespace shiftnorm::stats
