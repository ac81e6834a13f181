#include "dicom/codestream_colour.hpp"

#include <fmt/format.h>

namespace shiftnorm::imaging::dicom {
namespace {

bool is_ybr(Photometric photometric) {
  return photometric == Photometric::ybr_full || photometric == Photometric::ybr_full_422;
}

/// What the markers say, and which of them does.
struct Marked {
  Photometric photometric = Photometric::rgb;
  std::string_view by;
};

std::optional<Marked> marked(const CodestreamFacts& facts) {
  constexpr std::array<unsigned, 3> kRgb{'R', 'G', 'B'};
  if (facts.jfif) return Marked{Photometric::ybr_full, "the JFIF marker"};
  // Values other than 0 and 1 are not defined for three components: libjpeg takes them for YCbCr.
  if (facts.adobe_transform)
    return Marked{*facts.adobe_transform == 0 ? Photometric::rgb : Photometric::ybr_full, "Adobe's marker"};
  if (facts.ids == kRgb) return Marked{Photometric::rgb, "the component ids R, G, B"};
  return std::nullopt;
}

ResolvedColour of_jpeg(const CodestreamFacts& facts, const PixelModule& module) {
  const std::optional<Marked> said = marked(facts);
  if (!said || is_ybr(said->photometric) == is_ybr(module.photometric)) return {module.photometric, {}};
  const std::string what =
      fmt::format("JPEG data are {} by {} where the header says {}", is_ybr(said->photometric) ? "YCbCr" : "RGB",
                  said->by, kPhotometrics.name_of(module.photometric));
  if (facts.lossless) return {module.photometric, what + "; the header is believed, for lossless JPEG keeps colours"};
  return {said->photometric, what + "; the data are believed"};
}

ResolvedColour of_jpeg_2000(const CodestreamFacts& facts, const PixelModule& module) {
  if (!facts.mixes_components || !is_ybr(module.photometric)) return {module.photometric, {}};
  return {module.photometric,
          fmt::format("JPEG 2000 data have a colour transform of their own, meant for RGB, where the header says {}; "
                      "the header is believed",
                      kPhotometrics.name_of(module.photometric))};
}

}  // namespace

ResolvedColour resolve_colour(const CodestreamFacts& facts, const PixelModule& module, Packing packing) {
  if (module.samples == 3 && packing == Packing::jpeg) return of_jpeg(facts, module);
  if (module.samples == 3 && packing == Packing::jpeg_2000) return of_jpeg_2000(facts, module);
  return {module.photometric, {}};
}

}  // namespace shiftnorm::imaging::dicom
