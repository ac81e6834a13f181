#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcxfer.h>

#include <array>
#include <string_view>

namespace shiftnorm::phantom {

/// A transfer syntax that archives are written in, all of them lossless.
struct Syntax {
  std::string_view name;  ///< on the command line
  E_TransferSyntax code;
};
inline constexpr std::array kSyntaxes{
    Syntax{"explicit", EXS_LittleEndianExplicit},
    Syntax{"implicit", EXS_LittleEndianImplicit},
    Syntax{"rle", EXS_RLELossless},
    Syntax{"jpeg-lossless", EXS_JPEGProcess14SV1},
    Syntax{"jpeg-ls", EXS_JPEGLSLossless},
    Syntax{"jpeg-2000", EXS_JPEG2000LosslessOnly},
};

}  // namespace shiftnorm::phantom
