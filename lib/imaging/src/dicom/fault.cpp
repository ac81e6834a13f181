#include "fault.hpp"

#include <fmt/format.h>

#include "shiftnorm/core/names.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

constexpr auto kReasons =
    names<Named<Reason>>("reason", {{"not-dicom", Reason::not_dicom},
                                    {"truncated", Reason::truncated},
                                    {"parse", Reason::parse},
                                    {"limit", Reason::limit},
                                    {"unsupported-transfer-syntax", Reason::unsupported_transfer_syntax},
                                    {"bad-pixel-module", Reason::bad_pixel_module},
                                    {"bad-rescale", Reason::bad_rescale},
                                    {"pixel-length-mismatch", Reason::pixel_length_mismatch},
                                    {"geometry-mismatch", Reason::geometry_mismatch},
                                    {"corrupt-codestream", Reason::corrupt_codestream},
                                    {"missing-pixel-data", Reason::missing_pixel_data},
                                    {"uid-conflict", Reason::uid_conflict},
                                    {"decoder-crashed", Reason::decoder_crashed},
                                    {"decoder-timeout", Reason::decoder_timeout},
                                    {"changed-while-read", Reason::changed_while_read}});

}  // namespace

std::string_view name_of(Reason reason) noexcept {
  const Named<Reason>* row = kReasons.find(reason);
  return row == nullptr ? "unknown" : row->name;
}

Fault::Fault(Reason reason, const std::string& detail, std::optional<std::uint64_t> offset)
    : FormatError(fmt::format("{}: {}", name_of(reason), detail)), reason_(reason), detail_(detail), offset_(offset) {}

}  // namespace shiftnorm::imaging::dicom
