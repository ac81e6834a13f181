#pragma once

#include <string>

#include "dicom/codestream.hpp"
#include "dicom/header.hpp"
#include "dicom/transfer_syntax.hpp"

namespace shiftnorm::imaging::dicom {

/// What the decoded samples of a colour frame are. `remark` says where codestream and header contradict each other, and
/// which was believed; empty: they agree.
struct ResolvedColour {
  Photometric photometric = Photometric::rgb;
  std::string remark;
};

/// JPEG says by markers of its own what it holds, in libjpeg's order (jdapimin.c): JFIF's, Adobe's, the component ids
/// 'R', 'G', 'B'. They are written with the samples, and the header often is not: where they speak they are believed.
/// Without any, and in the lossless processes, which transform no colours, the header is (as DCMTK and GDCM do).
/// JPEG 2000 is decoded to what went into its own transform: the header says what that was.
[[nodiscard]] ResolvedColour resolve_colour(const CodestreamFacts& facts, const PixelModule& module, Packing packing);

}  // namespace shiftnorm::imaging::dicom
