#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging::dicom {

/// Why an object cannot be used, as quarantine.csv says it.
enum class Reason : std::uint8_t {
  not_dicom,
  truncated,
  parse,
  limit,
  unsupported_transfer_syntax,
  bad_pixel_module,
  bad_rescale,
  pixel_length_mismatch,
  geometry_mismatch,
  corrupt_codestream,
  missing_pixel_data,
  uid_conflict,
  decoder_crashed,
  decoder_timeout,
  changed_while_read,
};

[[nodiscard]] std::string_view name_of(Reason reason) noexcept;  ///< "pixel-length-mismatch"

/// One bad object. what() reads `reason: detail`; the detail never holds a value of the object other than technical
/// numbers (docs/reference/dicom.md#privacy).
class Fault : public FormatError {
 public:
  Fault(Reason reason, const std::string& detail, std::optional<std::uint64_t> offset = std::nullopt);
  [[nodiscard]] Reason reason() const noexcept { return reason_; }
  [[nodiscard]] const std::string& detail() const noexcept { return detail_; }
  [[nodiscard]] std::optional<std::uint64_t> offset() const noexcept { return offset_; }

 private:
  Reason reason_;
  std::string detail_;
  std::optional<std::uint64_t> offset_;  ///< bytes from the start of the (inflated) object
};

}  // namespace shiftnorm::imaging::dicom
