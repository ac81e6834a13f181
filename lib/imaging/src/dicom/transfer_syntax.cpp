#include "transfer_syntax.hpp"

#include <array>

namespace shiftnorm::imaging::dicom {
namespace {

constexpr std::array kSyntaxes{
    TransferSyntax{kImplicitLittleEndian, "implicit little endian", Packing::native, false},
    TransferSyntax{kExplicitLittleEndian, "explicit little endian"},
    TransferSyntax{"1.2.840.10008.1.2.1.99", "deflated", Packing::native, true, false, true},
    TransferSyntax{kExplicitBigEndian, "big endian", Packing::native, true, true},
    TransferSyntax{"1.2.840.10008.1.2.5", "RLE", Packing::rle},
    TransferSyntax{"1.2.840.10008.1.2.4.50", "JPEG baseline", Packing::jpeg},
    TransferSyntax{"1.2.840.10008.1.2.4.51", "JPEG extended", Packing::jpeg},
    TransferSyntax{"1.2.840.10008.1.2.4.53", "JPEG spectral selection", Packing::jpeg},
    TransferSyntax{"1.2.840.10008.1.2.4.55", "JPEG full progression", Packing::jpeg},
    TransferSyntax{"1.2.840.10008.1.2.4.57", "JPEG lossless", Packing::jpeg},
    TransferSyntax{"1.2.840.10008.1.2.4.70", "JPEG lossless, first order", Packing::jpeg},
    TransferSyntax{"1.2.840.10008.1.2.4.80", "JPEG-LS lossless", Packing::jpeg_ls},
    TransferSyntax{"1.2.840.10008.1.2.4.81", "JPEG-LS near-lossless", Packing::jpeg_ls},
    TransferSyntax{"1.2.840.10008.1.2.4.90", "JPEG 2000 lossless", Packing::jpeg_2000},
    TransferSyntax{"1.2.840.10008.1.2.4.91", "JPEG 2000", Packing::jpeg_2000},
    TransferSyntax{"1.2.840.10008.1.2.4.201", "HTJ2K lossless", Packing::jpeg_2000},
    TransferSyntax{"1.2.840.10008.1.2.4.202", "HTJ2K lossless RPCL", Packing::jpeg_2000},
    TransferSyntax{"1.2.840.10008.1.2.4.203", "HTJ2K", Packing::jpeg_2000},
    TransferSyntax{"1.2.840.10008.1.2.8.1", "deflated frames", Packing::unsupported},
    TransferSyntax{"1.2.840.10008.1.2.4.92", "JPEG 2000 part 2 lossless", Packing::unsupported},
    TransferSyntax{"1.2.840.10008.1.2.4.93", "JPEG 2000 part 2", Packing::unsupported},
    TransferSyntax{"1.2.840.10008.1.2.4.94", "JPIP", Packing::unsupported},
    TransferSyntax{"1.2.840.10008.1.2.4.95", "JPIP deflated", Packing::unsupported, true, false, true},
    TransferSyntax{"1.2.840.10008.1.2.4.100", "MPEG-2 main level", Packing::unsupported},
    TransferSyntax{"1.2.840.10008.1.2.4.101", "MPEG-2 high level", Packing::unsupported},
    TransferSyntax{"1.2.840.10008.1.2.4.102", "H.264", Packing::unsupported},
    TransferSyntax{"1.2.840.10008.1.2.4.103", "H.264 BD", Packing::unsupported},
    TransferSyntax{"1.2.840.10008.1.2.4.104", "H.264 2D", Packing::unsupported},
    TransferSyntax{"1.2.840.10008.1.2.4.105", "H.264 3D", Packing::unsupported},
    TransferSyntax{"1.2.840.10008.1.2.4.106", "H.264 stereo", Packing::unsupported},
    TransferSyntax{"1.2.840.10008.1.2.4.107", "HEVC", Packing::unsupported},
    TransferSyntax{"1.2.840.10008.1.2.4.108", "HEVC 10 bit", Packing::unsupported},
    TransferSyntax{"1.2.840.10008.1.2.4.110", "JPEG XL lossless", Packing::unsupported},
    TransferSyntax{"1.2.840.10008.1.2.4.111", "JPEG XL recompression", Packing::unsupported},
    TransferSyntax{"1.2.840.10008.1.2.4.112", "JPEG XL", Packing::unsupported},
};

}  // namespace

const TransferSyntax* transfer_syntax(std::string_view uid) {
  for (const TransferSyntax& syntax : kSyntaxes)
    if (syntax.uid == uid) return &syntax;
  return nullptr;
}

}  // namespace shiftnorm::imaging::dicom
