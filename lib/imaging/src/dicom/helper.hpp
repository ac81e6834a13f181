#pragma once

#include <cstdint>

#include "dicom/limits.hpp"

namespace shiftnorm::imaging::dicom {

/// What a helper sends when an answer is in its memory file.
struct Done {
  std::uint64_t bytes = 0;     ///< of the fields
  std::uint64_t values = 0;    ///< stored values of a frame, behind them
  bool configuration = false;  ///< the bytes are the text of a ConfigError
  bool tired = false;          ///< memory ran out: end this helper and take another
};

/// Answers requests that come over `line` until it closes: the life of a helper process. Limits on memory and, for
/// each request, on processor time are set here; passing the latter ends the process.
void serve(int line, int memory, const Limits& limits);

}  // namespace shiftnorm::imaging::dicom
