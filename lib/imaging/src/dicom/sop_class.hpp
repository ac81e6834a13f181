#pragma once

#include <string_view>

namespace shiftnorm::imaging::dicom {

/// What an object of a SOP class is to us.
enum class Kind { image, no_image, directory, unknown };

[[nodiscard]] Kind kind_of_class(std::string_view uid);
/// Enhanced CT, MR, PET: every frame is a slice.
[[nodiscard]] bool frames_are_slices(std::string_view uid);

}  // namespace shiftnorm::imaging::dicom
