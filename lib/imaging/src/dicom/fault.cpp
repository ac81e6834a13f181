#include "fault.hpp"

#include <fmt/format.h>

#include <array>

namespace shiftnorm::imaging::dicom {
namespace {

struct Name {
  Reason reason;
  std::string_view text;
};
constexpr std::array<Name, 15> kNames{{
    {Reason::not_dicom, "not-dicom"},
    {Reason::truncated, "truncated"},
    {Reason::parse, "parse"},
    {Reason::limit, "limit"},
    {Reason::unsupported_transfer_syntax, "unsupported-transfer-syntax"},
    {Reason::bad_pixel_module, "bad-pixel-module"},
    {Reason::bad_rescale, "bad-rescale"},
    {Reason::pixel_length_mismatch, "pixel-length-mismatch"},
    {Reason::geometry_mismatch, "geometry-mismatch"},
    {Reason::corrupt_codestream, "corrupt-codestream"},
    {Reason::missing_pixel_data, "missing-pixel-data"},
    {Reason::uid_conflict, "uid-conflict"},
    {Reason::decoder_crashed, "decoder-crashed"},
    {Reason::decoder_timeout, "decoder-timeout"},
    {Reason::changed_while_read, "changed-while-read"},
}};

}  // namespace

std::string_view name_of(Reason reason) noexcept {
  for (const Name& name : kNames)
    if (name.reason == reason) return name.text;
  return "unknown";
}

std::optional<Reason> reason_of(std::string_view text) {
  for (const Name& name : kNames)
    if (name.text == text) return name.reason;
  return std::nullopt;
}

Fault::Fault(Reason reason, const std::string& detail, std::optional<std::uint64_t> offset)
    : FormatError(fmt::format("{}: {}", name_of(reason), detail)), reason_(reason), detail_(detail), offset_(offset) {}

}  // namespace shiftnorm::imaging::dicom
