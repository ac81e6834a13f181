#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace shiftnorm::imaging::dicom {

/// What the first bytes of a file say. Names mean nothing; none of it says anything about damage later on.

inline constexpr std::size_t kMagicEnd = 132;  ///< behind the preamble and DICM
inline constexpr std::size_t kHead = 4096;     ///< bytes that are enough for all of these

/// DICM at byte 128.
[[nodiscard]] bool has_magic(std::span<const std::byte> head);
/// A meta header without preamble: an element of group 0002 in explicit VR.
[[nodiscard]] bool begins_with_meta(std::span<const std::byte> head);
/// A data set without any header may begin so: an element of group 0008 up to (0008,0018).
[[nodiscard]] bool may_be_data_set(std::span<const std::byte> head);
/// It continues as one too: elements in order, each inside what is left, a SOPClassUID that is one among them.
[[nodiscard]] bool is_data_set(std::span<const std::byte> head);

/// Worth a helper's look.
[[nodiscard]] inline bool looks_like_dicom(std::span<const std::byte> head) {
  return has_magic(head) || begins_with_meta(head) || may_be_data_set(head);
}
/// No file of another kind looks like this.
[[nodiscard]] inline bool is_surely_dicom(std::span<const std::byte> head) {
  return has_magic(head) || begins_with_meta(head) || is_data_set(head);
}

/// The uncompressed transfer syntax that a data set looks like, from its first element.
[[nodiscard]] std::string_view syntax_of(std::span<const std::byte> data_set);

/// PS3.5 7.1.2: whether a value representation has a length of 16 or of 32 bits in explicit VR; neither: none is called
/// so.
[[nodiscard]] bool has_short_length(std::string_view vr);
[[nodiscard]] bool has_long_length(std::string_view vr);

}  // namespace shiftnorm::imaging::dicom
