#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dicom/header.hpp"
#include "dicom/object.hpp"
#include "shiftnorm/imaging/dataset.hpp"
#include "shiftnorm/imaging/transform.hpp"

namespace shiftnorm::imaging::dicom {

/// Modality values and how often each occurs, ascending; padding left out.
using ValueCounts = std::vector<std::pair<double, std::int64_t>>;

/// The values of the whole series of a frame, counted when first asked for. Thread-safe.
class SeriesValues {
 public:
  virtual ~SeriesValues() = default;
  [[nodiscard]] virtual const ValueCounts& counts() const = 0;
};

/// One frame as the pixel chain takes it.
struct Frame {
  StoredFrame stored;
  FrameRules rules;
  std::shared_ptr<const SeriesValues> series;  ///< may be null: scope `series` is then scope `image`
};

[[nodiscard]] ValueCounts count_values(const Frame& frame);

/// Value at `percent` of the counted ones, interpolated between neighbours as numpy.percentile does; 0 without values.
[[nodiscard]] double percentile(const ValueCounts& counts, double percent);

/// y in [0, 1] of modality value m.
[[nodiscard]] double apply_window(const VoiWindow& window, double m);
[[nodiscard]] double apply_table(const LookupTable& table, double m);

/// Stored values to a picture: modality, padding, VOI, MONOCHROME1, colour, aspect
/// (docs/reference/dicom.md#the-pixel-chain), in double precision. Grey: 1 channel, or 3 with three windows; colour: 3.
/// bits == 0, or 8 with quantize8 or equalize.
[[nodiscard]] Image show(const Frame& frame, const Voi& voi);

/// `automatic` resolved by the modality: what show() does. `named` is false where a CT has no window of its own.
struct ResolvedVoi {
  Voi voi;
  bool named = true;
};
[[nodiscard]] ResolvedVoi resolve_voi(const Voi& voi, const std::string& modality);

/// RGB as integers of `bits` bits, pixel after pixel: YBR converted, palettes expanded (16-bit entries >> 8).
struct Colours {
  int bits = 8;
  std::vector<std::uint32_t> values;
};
[[nodiscard]] Colours colours_of(const Frame& frame);

/// What `inspect --pixels` says of a frame.
struct FrameAudit {
  double min = 0, max = 0, mean = 0;  ///< after the modality step, padding included; colours: over R, G and B
  std::string voi;                    ///< "lut", "window:LINEAR" ..., "none"; empty for colours
  Histogram values;                   ///< after the modality step, padding left out; colours: R, G and B
  double voi_mean = 0;                ///< after the file's first VOI and MONOCHROME1; 0 where voi is "none"
};
[[nodiscard]] FrameAudit audit(const Frame& frame);
[[nodiscard]] std::string dtype_of(const PixelModule& module);  ///< "u1", "<i2", "<u4" ...

}  // namespace shiftnorm::imaging::dicom
