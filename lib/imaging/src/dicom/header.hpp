#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/imaging/transform.hpp"

namespace shiftnorm::imaging::dicom {

/// Values that a table maps to, from `first` on; entries have `bits` bits.
struct LookupTable {
  std::int64_t first = 0;
  int bits = 16;
  std::vector<std::uint16_t> entries;
};

enum class Photometric : std::uint8_t {
  monochrome1,
  monochrome2,
  palette,
  rgb,
  ybr_full,
  ybr_full_422,
  ybr_rct,
  ybr_ict
};
struct PhotometricFacts {
  std::string_view name;  ///< its defined term
  Photometric value;
  std::int64_t samples;
};
inline constexpr auto kPhotometrics =
    names<PhotometricFacts>("photometric interpretation", {{"MONOCHROME1", Photometric::monochrome1, 1},
                                                           {"MONOCHROME2", Photometric::monochrome2, 1},
                                                           {"PALETTE COLOR", Photometric::palette, 1},
                                                           {"RGB", Photometric::rgb, 3},
                                                           {"YBR_FULL", Photometric::ybr_full, 3},
                                                           {"YBR_FULL_422", Photometric::ybr_full_422, 3},
                                                           {"YBR_RCT", Photometric::ybr_rct, 3},
                                                           {"YBR_ICT", Photometric::ybr_ict, 3}});

/// The image pixel module, checked: what is here fits the limits and itself.
struct PixelModule {
  std::int64_t rows = 0, columns = 0, samples = 1, frames = 1;
  int bits_allocated = 8, bits_stored = 8, high_bit = 7;
  bool is_signed = false, planar = false;
  Photometric photometric = Photometric::monochrome2;

  [[nodiscard]] std::int64_t frame_values() const { return rows * columns * samples; }
  [[nodiscard]] int value_bytes() const { return bits_allocated <= 8 ? 1 : bits_allocated / 8; }
  [[nodiscard]] bool grey() const {
    return photometric == Photometric::monochrome1 || photometric == Photometric::monochrome2;
  }
};

/// The stored values of one frame: samples interleaved, little endian, module.value_bytes() each, only the bits
/// [HighBit - BitsStored + 1 .. HighBit], sign-extended. module.photometric is what the values are, where the
/// codestream says other than the header.
struct StoredFrame {
  PixelModule module;
  std::vector<std::byte> values;
};

/// One frame of plane after plane, at `src`, as pixel after pixel.
[[nodiscard]] std::vector<std::byte> interleaved(const std::byte* src, const PixelModule& m);

/// How the stored values of one frame become grey levels or colours.
struct FrameRules {
  std::string modality;
  double slope = 1, intercept = 0;
  std::optional<LookupTable> modality_table;  ///< instead of slope and intercept
  std::vector<VoiWindow> windows;             ///< those that can be used
  std::vector<LookupTable> voi_tables;
  std::optional<std::int64_t> padding_low, padding_high;  ///< stored values from low to high are padding
  std::vector<LookupTable> palette;                       ///< red, green, blue; empty unless the photometric asks
  double aspect = 1;                                      ///< height of a pixel over its width
  std::vector<std::string> remarks;                       ///< what of these cannot be used
};

/// What the rest of the program may know of an object: the allow list of docs/reference/dicom.md#privacy. Identifiers
/// leave this module only as keyed hashes.
struct ObjectFacts {
  std::string sop_class, transfer_syntax, modality, photometric;
  std::string sop_instance, series, study, accession, patient, issuer, study_date, birth_date, sex;
  std::int64_t rows = 0, columns = 0, frames = 0;
  bool every_frame = false;          ///< enhanced CT, MR, PT: all frames are slices
  std::string skip;                  ///< why it is not an image for us; empty: it is one
  std::vector<std::string> remarks;  ///< what in it is wrong or contradicts itself, and what was assumed
  std::vector<std::string> tags;     ///< of the asked-for attributes, in their order; empty text: absent
};

}  // namespace shiftnorm::imaging::dicom
