#pragma once

#include <string_view>

namespace shiftnorm::imaging::dicom {

/// What an object of a SOP class is to us.
enum class Kind { image, no_image, directory, unknown };

[[nodiscard]] Kind kind_of_class(std::string_view uid);
/// Of an object with pixel data and no class: whether its pixels are a picture, not a mask or a dose.
[[nodiscard]] bool is_image_modality(std::string_view modality);
/// Enhanced CT, MR, PET: every frame is a slice.
[[nodiscard]] bool frames_are_slices(std::string_view uid);

}  // namespace shiftnorm::imaging::dicom
