#include <fmt/format.h>

#include <algorithm>

#include "format.hpp"
#include "histogram_figure.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/report/data_report.hpp"

namespace shiftnorm::report {
namespace {

constexpr std::size_t kShown = 40, kBars = 48;

std::string tally_text(const Tally& tally) {
  std::string text = tally.title + "\n";
  std::size_t width = 24, shown = 0;
  for (const auto& [name, n] : tally.counts)
    width = std::max(width, std::min<std::size_t>(60, tally.shown(name).size()));
  for (const auto& [name, n] : tally.counts) {
    if (shown++ == kShown) return text + fmt::format("  and {} more\n", tally.counts.size() - kShown);
    text += fmt::format("  {:<{}}  {:>8}\n", printable(tally.shown(name)), width, n);
  }
  return text;
}

std::string distributions_text(std::string_view heading, const std::vector<Distribution>& list) {
  if (list.empty()) return {};
  std::string text = fmt::format("{}\n", heading);
  std::size_t width = 6;
  for (const Distribution& one : list) width = std::max(width, one.name.size());
  for (const Distribution& one : list)
    text += fmt::format("  {:<{}}  {:>9.4g} |{}| {:<9.4g} mean {:.4g}{}\n", printable(one.name), width,
                        one.histogram.min(), histogram_bars(one.histogram, kBars), one.histogram.max(), one.mean,
                        one.deviation ? fmt::format(", sd {:.4g}", *one.deviation) : "");
  return text;
}

}  // namespace

std::string data_text(const DataReport& data) {
  std::string text = fmt::format("{}: {}, {} bad, {} other files skipped", data.name, count_text(data.images, "image"),
                                 data.bad.size(), data.skipped);
  const auto add = [&](const std::optional<std::int64_t>& n, std::string_view noun, std::string_view nouns) {
    if (n) text += fmt::format(", {} {}", *n, *n == 1 ? noun : nouns);
  };
  add(data.frames, "frame", "frames");
  add(data.patients, "patient", "patients");
  add(data.studies, "study", "studies");
  add(data.series, "series", "series");
  text += "\n";
  if (data.samples != data.images) text += fmt::format("{} taken from them\n", count_text(data.samples, "sample"));
  if (data.labels)
    text += fmt::format("{}: {} images matched, {} images without a label, {} labels without an image, {} ambiguous\n",
                        printable(data.labels->file), data.labels->matched, data.labels->images_without_label,
                        data.labels->labels_without_image, data.labels->ambiguous);
  for (const Tally& tally : data.tallies)
    if (!tally.counts.empty()) text += tally_text(tally);
  text += distributions_text(data.reader == "dicom" ? "intensities after the modality step" : "intensities as stored",
                             data.before);
  text += distributions_text(fmt::format("intensities after preprocess {}", data.preprocess), data.after);
  for (const std::string& note : data.notes) text += fmt::format("note: {}\n", printable(note, 500));
  return text;
}

}  // namespace shiftnorm::report
