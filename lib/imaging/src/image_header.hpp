#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace shiftnorm::imaging {

/// The file formats this room decodes.
enum class Codec { jpeg, png, tiff, bmp };

inline constexpr std::size_t kMagicBytes = 18;                       ///< what codec_of() needs to see
inline constexpr std::int64_t kMaxPixels = std::int64_t{256} << 20;  ///< per image, whatever the file says

/// What the first bytes say; nothing if they belong to no format above. File names play no part.
[[nodiscard]] std::optional<Codec> codec_of(std::span<const std::byte> head) noexcept;
[[nodiscard]] std::string_view name_of(Codec codec) noexcept;

/// What the decoder must be told or must be corrected for.
struct ImageHeader {
  Codec codec = Codec::jpeg;
  std::int64_t height = 0, width = 0;  ///< as stored, before `orientation`
  bool grey_alpha = false;             ///< PNG grey + alpha, which OpenCV expands to colour
  bool inverted_grey16 = false;        ///< TIFF, 16 bits, white is zero: libtiff's raw reading leaves it inverted
  int orientation = 1;                 ///< TIFF tag 274, 1..8; 1 for every other format
};

/// Reads the header, checks the size limit and that the file holds all of its pixels, and mends `file` so that the
/// decoder's answer is PIL's: PNG chunks other than IHDR, PLTE, IDAT, IEND are taken out (colour profiles, text,
/// transparency keys), TIFF's orientation and premultiplication tags are neutralised.
/// Errors  FormatError, UnsupportedError; texts have no `where`.
[[nodiscard]] ImageHeader read_image_header(std::vector<std::byte>& file);

}  // namespace shiftnorm::imaging
