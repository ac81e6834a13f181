#include <fmt/format.h>

#include <algorithm>

#include "document.hpp"
#include "figure.hpp"
#include "format.hpp"
#include "histogram_figure.hpp"
#include "shiftnorm/report/data_report.hpp"
#include "thumbnail.hpp"

namespace shiftnorm::report {
namespace {

// Longer lists are in the JSON document.
constexpr std::size_t kMostRows = 200;

std::string header(const DataReport& data) {
  std::string line =
      fmt::format("{} · {} bad · {} skipped", count_text(data.images, "image"), data.bad.size(), data.skipped);
  if (data.patients) line += " · " + count_text(*data.patients, "patient");
  return fmt::format("<h1>{}</h1>\n<p>What is in these data, and what would be left out · {}</p>\n", html(data.name),
                     html(line));
}

std::string number(const std::optional<std::int64_t>& value) { return value ? std::to_string(*value) : std::string(); }

std::string overview(const DataReport& data) {
  std::string rows =
      "<tbody>\n" + fact("Read as", data.reader) + fact("Images that can be used", std::to_string(data.images));
  if (data.samples != data.images) rows += fact("Samples taken from them", std::to_string(data.samples));
  rows += fact("Frames", number(data.frames)) + fact("Patients", number(data.patients)) +
          fact("Studies", number(data.studies)) + fact("Series", number(data.series));
  rows += fact("Bad files, left out", std::to_string(data.bad.size())) +
          fact("Files skipped on purpose", std::to_string(data.skipped));
  if (data.labels) {
    rows += fact("Labels from", data.labels->file) + fact("Images with a label", std::to_string(data.labels->matched)) +
            fact("Images without a label", std::to_string(data.labels->images_without_label)) +
            fact("Labels without an image", std::to_string(data.labels->labels_without_image)) +
            fact("Ambiguous labels", std::to_string(data.labels->ambiguous));
  }
  rows += fact("Preprocessing", data.preprocess) + fact("Preprocessing SHA-256", data.preprocess_sha256, true) +
          fact("Data fingerprint", data.fingerprint, true);
  std::string out = boxed_table("words untitled", "Overview", rows + "</tbody>");
  if (data.notes.empty()) return out;
  out += "<ul class=\"notes\">\n";
  for (const std::string& note : data.notes) out += fmt::format("<li>{}</li>\n", html(note));
  return out + "</ul>\n";
}

std::string tally_table(const Tally& tally) {
  std::string rows =
      fmt::format("<thead><tr>{}{}</tr></thead>\n<tbody>\n", column(tally.title, false, true), column("Images", true));
  std::size_t shown = 0;
  for (const auto& [name, n] : tally.counts) {
    if (shown++ == kMostRows) break;
    rows += fmt::format("<tr><th scope=\"row\">{}</th><td data-v=\"{}\">{}</td></tr>\n", html(tally.shown(name)), n, n);
  }
  std::string out = boxed_table("numbers sortable untitled", tally.title, rows + "</tbody>");
  if (tally.counts.size() > kMostRows)
    out += fmt::format("<p class=\"quiet\">The first {} of {}.</p>\n", kMostRows, tally.counts.size());
  return "<div>" + out + "</div>\n";
}

std::string tallies(const DataReport& data) {
  std::string out;
  for (const Tally& tally : data.tallies)
    if (!tally.counts.empty()) out += tally_table(tally);
  return out.empty() ? out : "<div class=\"side\">\n" + out + "</div>\n";
}

std::string histograms(const std::vector<Distribution>& distributions, std::string_view stem) {
  std::vector<Figure> figures;
  figures.reserve(distributions.size());
  for (const Distribution& one : distributions)
    figures.push_back(histogram_figure(one, fmt::format("{}-{}", stem, figures.size() + 1)));
  return figures_html(figures);
}

std::string files(const std::vector<imaging::Bad>& list, std::string_view caption) {
  if (list.empty()) return {};
  std::string rows =
      fmt::format("<thead><tr>{}{}</tr></thead>\n<tbody>\n", column("Id", false, true), column("Reason", false, true));
  for (std::size_t i = 0; i < std::min(list.size(), kMostRows); ++i)
    rows += fmt::format("<tr><th scope=\"row\"><code>{}</code></th><td class=\"left\">{}</td></tr>\n", html(list[i].id),
                        html(list[i].reason));
  std::string out = boxed_table("words sortable untitled", caption, rows + "</tbody>");
  if (list.size() > kMostRows)
    out += fmt::format("<p>The first {} of {}; the JSON document lists all.</p>\n", kMostRows, list.size());
  return out;
}

std::string thumbnails(const DataReport& data) {
  if (data.thumbnails.empty() && data.withheld == 0) return {};
  std::string out;
  for (const Thumbnail& picture : data.thumbnails)
    out += fmt::format("<li><img src=\"{}\" width=\"{}\" height=\"{}\" alt=\"Image {}\">{}</li>\n",
                       data_address(picture), picture.width, picture.height, html(picture.id), html(picture.id));
  if (!out.empty()) out = "<ul class=\"thumbnails\">\n" + out + "</ul>\n";
  if (data.withheld > 0)
    out += fmt::format(
        "<p class=\"lead\">{} not shown: ultrasound, screen captures and images that say "
        "so may carry names in their pixels.</p>\n",
        count_text(data.withheld, "picture"));
  return out;
}

}  // namespace

std::string data_html(const DataReport& data) {
  std::string main = section("Overview", "", overview(data));
  main += section("Intensities as stored",
                  data.reader == "dicom"
                      ? "After the modality step (Hounsfield units for CT), padding left out; "
                        "bars are square roots of shares, so that a background does not flatten the rest."
                      : "Bars are square roots of shares, so that a background does not flatten the rest.",
                  histograms(data.before, "before"));
  main += section("Intensities as the network gets them",
                  fmt::format("After the preprocessing <b>{}</b>.", html(data.preprocess)),
                  histograms(data.after, "after"));
  main += section("Counts", "", tallies(data));
  main += section("Pictures", "Requested explicitly: this page contains pixels of the data.", thumbnails(data));
  main += section("Bad files", "They would be left out, and count towards --max-bad.", files(data.bad, "Bad files"));
  main += section("Skipped files", "Left out on purpose: nothing in them is an image for a network.",
                  files(data.skipped_files, "Skipped files"));
  return document(data.name + ": shiftnorm inspect", header(data), main, data.program_version);
}

}  // namespace shiftnorm::report
