#include "dicom/header.hpp"

#include <array>
#include <cstring>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging::dicom {

std::string_view text_of(Photometric photometric) {
  switch (photometric) {
    case Photometric::monochrome1: return "MONOCHROME1";
    case Photometric::monochrome2: return "MONOCHROME2";
    case Photometric::palette: return "PALETTE COLOR";
    case Photometric::rgb: return "RGB";
    case Photometric::ybr_full: return "YBR_FULL";
    case Photometric::ybr_full_422: return "YBR_FULL_422";
    case Photometric::ybr_rct: return "YBR_RCT";
    case Photometric::ybr_ict: return "YBR_ICT";
  }
  throw Error("a photometric interpretation without a name");
}

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
