#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "shiftnorm/core/names.hpp"

namespace shiftnorm::imaging {

/// The file formats this module decodes. pnm: PBM, PGM and PPM.
enum class Codec { jpeg, png, tiff, bmp, webp, pnm };
inline constexpr auto kCodecs = names<Named<Codec>>("image format", {{"JPEG", Codec::jpeg},
                                                                     {"PNG", Codec::png},
                                                                     {"TIFF", Codec::tiff},
                                                                     {"BMP", Codec::bmp},
                                                                     {"WebP", Codec::webp},
                                                                     {"PPM", Codec::pnm}});

inline constexpr std::size_t kMagicBytes = 18;                       ///< what codec_of() needs to see
inline constexpr std::int64_t kMaxPixels = std::int64_t{256} << 20;  ///< per image, whatever the file says

/// What the first bytes say; nothing if they belong to no format above. File names play no part.
[[nodiscard]] std::optional<Codec> codec_of(std::span<const std::byte> head) noexcept;
/// The codec, or an error that says what the file is instead (a GIF, say) as far as that is known.
[[nodiscard]] Codec expect_codec(std::span<const std::byte> file);

/// FormatError unless an image of that size may be decoded: before memory is taken.
void check_size(Codec codec, std::int64_t width, std::int64_t height);
/// FormatError: the file ends before its contents do.
[[noreturn]] void truncated(Codec codec, std::string_view detail);

/// Unsigned integers of a file in its byte order; reading beyond the end is an error.
class Fields {
 public:
  Fields(std::span<const std::byte> bytes, Codec codec, bool big_endian)
      : bytes_(bytes), codec_(codec), big_endian_(big_endian) {}

  [[nodiscard]] std::uint64_t read(std::uint64_t at, std::size_t n) const;
  [[nodiscard]] std::uint8_t u8(std::uint64_t at) const { return static_cast<std::uint8_t>(read(at, 1)); }
  [[nodiscard]] std::uint16_t u16(std::uint64_t at) const { return static_cast<std::uint16_t>(read(at, 2)); }
  [[nodiscard]] std::uint32_t u32(std::uint64_t at) const { return static_cast<std::uint32_t>(read(at, 4)); }
  [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
  Codec codec_;
  bool big_endian_;
};

}  // namespace shiftnorm::imaging
