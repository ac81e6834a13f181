#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// A synthetic change of acquisition: a name of shift_table() and a severity from 1 to 5.
struct Shift {
  std::string name;
  int severity = 1;
  friend bool operator==(const Shift&, const Shift&) = default;
};

enum class ShiftKind { noise, blur, weather, digital, acquisition };

struct ShiftSpec {
  std::string_view name;
  ShiftKind kind;
  std::string_view definition;  ///< one line for people
};

/// The fifteen common corruptions of Hendrycks & Dietterich 2019 with their published parameters (those of CIFAR-10-C
/// for images whose shorter side is below 96, else those of ImageNet-C), and shifts of medical acquisition. Differences
/// from the published code, all of them: pixels are rounded, not truncated; motion_blur and snow shift by whole pixels
/// along the direction instead of calling ImageMagick; frost lays computed crystals over the image, not photographs.
[[nodiscard]] std::span<const ShiftSpec> shift_table();

/// Errors  ConfigError for an unknown name (with the nearest) or a severity out of range.
void check_shift(const Shift& shift);

/// The image under the shift: the same size, channels and bits. The same seed and key give the same image, whatever
/// else was shifted before; `key` is the sample's id.
[[nodiscard]] Image apply_shift(const Shift& shift, const Image& image, std::uint64_t seed, std::string_view key);

/// The data set with the shifts applied to every image, in order, before any preprocessing.
/// Errors  ConfigError as check_shift(), and for a data set of float arrays, which are not images.
[[nodiscard]] std::unique_ptr<Dataset> shifted(std::unique_ptr<Dataset> dataset, std::vector<Shift> shifts,
                                               std::uint64_t seed);

}  // namespace shiftnorm::imaging
