#pragma once

#include <string>
#include <vector>

#include "shiftnorm/results/results.hpp"

/// What a run found out, as text. Nothing here touches files. All output is UTF-8; bytes that are not become U+FFFD
/// or '?'.
namespace shiftnorm::report {

/// What target labels show, with the reasons in words: for RunResults::verdict.
[[nodiscard]] results::Verdict verdict(const results::RunResults& results);

/// One self-contained HTML page: verdict, scores, pictures, bad images, provenance, how to repeat it.
/// No network, works offline, printed, without scripts, in light and dark, with keyboard and screen reader.
[[nodiscard]] std::string report_html(const results::RunResults& results);

/// One picture of the page as a file of its own.
struct Picture {
  std::string name;  ///< "drift-1-adabn.svg"
  std::string svg;
};
[[nodiscard]] std::vector<Picture> report_pictures(const results::RunResults& results);

}  // namespace shiftnorm::report
