#pragma once

#include <string_view>

namespace shiftnorm::pacs {

inline constexpr std::string_view kVerification = "1.2.840.10008.1.1";
inline constexpr std::string_view kStudyRootFind = "1.2.840.10008.5.1.4.1.2.2.1";
inline constexpr std::string_view kStudyRootMove = "1.2.840.10008.5.1.4.1.2.2.2";
inline constexpr std::string_view kStudyRootGet = "1.2.840.10008.5.1.4.1.2.2.3";
inline constexpr std::string_view kImplicitLittle = "1.2.840.10008.1.2";

}  // namespace shiftnorm::pacs
