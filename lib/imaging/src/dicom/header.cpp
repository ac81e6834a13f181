#include "dicom/header.hpp"

#include <cstring>

namespace shiftnorm::imaging::dicom {

std::vector<std::byte> interleaved(const std::byte* src, const PixelModule& m) {
  const auto plane = static_cast<std::size_t>(m.rows * m.columns), samples = static_cast<std::size_t>(m.samples);
  const auto cell = static_cast<std::size_t>(m.value_bytes());
  std::vector<std::byte> out(plane * samples * cell);
  for (std::size_t c = 0; c < samples; ++c)
    for (std::size_t i = 0; i < plane; ++i)
      std::memcpy(out.data() + (i * samples + c) * cell, src + (c * plane + i) * cell, cell);
  return out;
}

}  // namespace shiftnorm::imaging::dicom
