#include "thumbnail.hpp"

#include <algorithm>
#include <cstdint>

namespace shiftnorm::report {
namespace {

void put(std::string& bytes, std::uint32_t value, int count) {
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
}

std::string bitmap(const Thumbnail& picture) {
  constexpr std::uint32_t kHeaders = 14 + 40;
  const auto width = static_cast<std::uint32_t>(picture.width), height = static_cast<std::uint32_t>(picture.height);
  const std::uint32_t padding = (4 - width * 3 % 4) % 4;
  std::string bytes = "BM";
  put(bytes, kHeaders + height * (width * 3 + padding), 4);
  put(bytes, 0, 4);
  put(bytes, kHeaders, 4);
  put(bytes, 40, 4);
  put(bytes, width, 4);
  put(bytes, height, 4);
  put(bytes, 1, 2);                              // planes
  put(bytes, 24, 2);                             // bits of a pixel
  for (int i = 0; i < 6; ++i) put(bytes, 0, 4);  // uncompressed; resolution, palette
  const auto channels = static_cast<std::size_t>(picture.channels);
  for (std::uint32_t row = height; row-- > 0;) {  // the lowest first
    for (std::uint32_t x = 0; x < width; ++x) {
      const std::uint8_t* pixel = picture.values.data() + (static_cast<std::size_t>(row) * width + x) * channels;
      for (const std::size_t c : {2U, 1U, 0U}) bytes += static_cast<char>(pixel[channels == 1 ? 0 : c]);
    }
    put(bytes, 0, static_cast<int>(padding));
  }
  return bytes;
}

}  // namespace

std::string data_address(const Thumbnail& thumbnail) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes = bitmap(thumbnail);
  const std::size_t padding = (3 - bytes.size() % 3) % 3;
  bytes.append(padding, '\0');
  std::string out = "data:image/bmp;base64,";
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | static_cast<std::uint8_t>(bytes[i + k]);
    for (const unsigned shift : {18U, 12U, 6U, 0U}) out += kDigits[(group >> shift) & 63U];
  }
  std::fill_n(out.rbegin(), padding, '=');
  return out;
}

}  // namespace shiftnorm::report
