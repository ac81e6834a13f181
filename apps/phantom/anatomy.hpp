#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "picture.hpp"
#include "random.hpp"

namespace shiftnorm::phantom {

/// The findings, in the order of their class folders (sorted by name).
enum class Finding { cardiomegaly, effusion, nodule, normal };
inline constexpr std::array<std::string_view, 4> kFindings{"cardiomegaly", "effusion", "nodule", "normal"};

/// A frontal chest of a patient who does not exist: trunk, lungs, spine, ribs, heart, diaphragm, and one finding.
/// Size, density, ribs and vessels are drawn from `body`, place and tilt from `stance`: the same body in another
/// stance, or with another finding, is the same patient on another day. Both may be one stream.
[[nodiscard]] Picture chest(Finding finding, std::size_t side, Random& body, Random& stance);

}  // namespace shiftnorm::phantom
