#pragma once

#include <string>
#include <vector>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/experiment/results.hpp"

/// What a run found out, as text. Nothing here touches files. All output is UTF-8; bytes that are not become U+FFFD or
/// '?' (predictions.csv keeps ids byte by byte).
namespace shiftnorm::report {

/// results.json, schema 1: stable keys in a fixed order. An undefined number is null beside a `reason`; without labels
/// that is every metric. The confusion matrix is left out (null, with a reason) above 100 classes. `verdict`
/// holds what target labels show: the mode (null when that cannot be told), the reasons, and the confidence "high",
/// "low" or "cannot tell"; `recommendation` the same told without target labels, null where it was switched off.
[[nodiscard]] std::string results_json(const experiment::RunResults& results);

/// Whether the images were enough: part of results.json, and of the documents of single jobs. Numbers that cannot be
/// told are null. Something was measured.
[[nodiscard]] container::Json settling_json(const experiment::Settling& settling);

/// predictions.csv: `id,label,mode,predicted,p_0,...`, one line per mode and image, quoted as RFC 4180 says, lines
/// ended by LF. label and predicted are class indices, the k of p_k; empty where there is none (no label, a NaN).
/// Probabilities carry 9 significant digits, what float32 outputs hold.
/// A text that a spreadsheet would take for a formula (it starts with = + - @, tab or carriage return) is written with
/// an apostrophe before it, inside quotes, as OWASP's "CSV Injection" page advises. Errors  ShapeError when ids, labels
/// and probabilities do not fit each other.
[[nodiscard]] std::string predictions_csv(const experiment::RunResults& results);

/// One self-contained HTML page: verdict, scores, pictures, bad images, provenance, how to repeat it.
/// No network, works offline, printed, without scripts, in light and dark, with keyboard and screen reader.
[[nodiscard]] std::string report_html(const experiment::RunResults& results);

/// One picture of the page as a file of its own.
struct Picture {
  std::string name;  ///< "drift-1-adabn.svg"
  std::string svg;
};
[[nodiscard]] std::vector<Picture> report_pictures(const experiment::RunResults& results);

}  // namespace shiftnorm::report
