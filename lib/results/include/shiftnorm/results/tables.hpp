#pragma once

#include <span>
#include <string>

#include "shiftnorm/results/results.hpp"

/// What a run found out, as CSV. All output is UTF-8; ids keep their bytes.
namespace shiftnorm::results {

/// predictions.csv: `id,label,mode,predicted,p_0,...`, one line per mode and image, quoted as RFC 4180 says, lines
/// ended by LF. label and predicted are class indices, the k of p_k; empty where there is none (no label, a NaN).
/// Probabilities carry 9 significant digits, what float32 outputs hold.
/// A text that a spreadsheet would take for a formula (it starts with = + - @, tab or carriage return) is written with
/// an apostrophe before it, inside quotes, as OWASP's "CSV Injection" page advises. Errors  ShapeError when ids, labels
/// and probabilities do not fit each other.
[[nodiscard]] std::string predictions_csv(const RunResults& results);

/// quarantine.csv: `id,reason,offset`, a line for each bad file. DICOM reasons are the names that docs/guide.md lists.
[[nodiscard]] std::string quarantine_csv(std::span<const BadFile> bad);

}  // namespace shiftnorm::results
