#pragma once

#include <cstdint>
#include <string_view>

namespace shiftnorm::imaging::dicom {

/// How the pixels of a transfer syntax are packed.
enum class Packing : std::uint8_t { native, rle, jpeg, jpeg_ls, jpeg_2000, unsupported };

struct TransferSyntax {
  std::string_view uid, name;
  Packing packing = Packing::native;
  bool explicit_vr = true, big_endian = false, deflated = false;
};

/// nullptr: unknown or private. What we know but cannot decode has Packing::unsupported.
[[nodiscard]] const TransferSyntax* transfer_syntax(std::string_view uid);

inline constexpr std::string_view kImplicitLittleEndian = "1.2.840.10008.1.2";
inline constexpr std::string_view kExplicitLittleEndian = "1.2.840.10008.1.2.1";
inline constexpr std::string_view kExplicitBigEndian = "1.2.840.10008.1.2.2";

}  // namespace shiftnorm::imaging::dicom
