#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "shiftnorm/core/names.hpp"

namespace shiftnorm::imaging {

/// The file formats this module decodes. pnm: PBM, PGM and PPM.
enum class Codec { jpeg, png, tiff, bmp, webp, pnm };
struct CodecNames {
  std::string_view name;
  Codec value;
  std::string_view word;  ///< in documents; of pnm the first bytes tell which
};
inline constexpr auto kCodecs = names<CodecNames>("image format", {{"JPEG", Codec::jpeg, "jpeg"},
                                                                   {"PNG", Codec::png, "png"},
                                                                   {"TIFF", Codec::tiff, "tiff"},
                                                                   {"BMP", Codec::bmp, "bmp"},
                                                                   {"WebP", Codec::webp, "webp"},
                                                                   {"PPM", Codec::pnm, ""}});

inline constexpr std::size_t kMagicBytes = 18;                       ///< what codec_of() needs to see
inline constexpr std::int64_t kMaxPixels = std::int64_t{256} << 20;  ///< per image, whatever the file says

/// What the first bytes say; nothing if they belong to no format above. File names play no part.
[[nodiscard]] std::optional<Codec> codec_of(std::span<const std::byte> head) noexcept;
/// The first kMagicBytes of a file, or as many as it has.
[[nodiscard]] std::vector<std::byte> head_of(const std::filesystem::path& file);
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
