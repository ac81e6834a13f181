#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcfilefo.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "exposure.hpp"
#include "syntax.hpp"

namespace shiftnorm::phantom {

/// The encoders of DCMTK, registered once for the process while one of these lives. Errors  MachineError if DCMTK has
/// no data dictionary.
class Encoders {
 public:
  Encoders();
  ~Encoders();
  Encoders(const Encoders&) = delete;
  Encoders& operator=(const Encoders&) = delete;
};

/// The image of an exposure as the scanner's own kind of object, 12 bits stored in 16: A writes CR, MONOCHROME2; B
/// writes DX, MONOCHROME1, with a rescale. The window of either maps stored values back to the levels. Every
/// identifying value says that it is synthetic; UIDs are of the kind 2.25.<number>, a hash of seed and place.
/// Errors  Error if an encoder fails.
[[nodiscard]] std::unique_ptr<DcmFileFormat> image_object(const Exposure& exposure, std::span<const double> levels,
                                                          std::uint64_t seed, const Syntax& syntax);

/// A structured report without pixels on the first study of the scanner's first patient.
[[nodiscard]] std::unique_ptr<DcmFileFormat> report_object(std::size_t scanner, std::uint64_t seed);

/// What labels are keyed by; one for each study.
[[nodiscard]] std::string accession_number(const Exposure& exposure);

/// UID of something that the seed and these numbers tell.
[[nodiscard]] std::string uid_of(std::uint64_t seed, std::span<const std::uint64_t> place);

}  // namespace shiftnorm::phantom
