#include <fmt/format.h>

#include <filesystem>

#include "inspect.hpp"
#include "inspect_findings.hpp"
#include "inspect_summary.hpp"
#include "job_options.hpp"
#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/core/version.hpp"
#include "shiftnorm/imaging/dataset.hpp"
#include "shiftnorm/toolkit/output_files.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;
using container::Json;

constexpr std::int64_t kMostThumbnails = 200;

imaging::DatasetOptions dataset_options(const Options& options) {
  imaging::DatasetOptions how;
  how.reader = options.named("reader", imaging::kReaders, how.reader);
  how.layout = options.text("layout");
  if (options.has("layout")) from_option("layout", [&] { imaging::check_layout(how.layout); });
  read_table_options(options, how);
  how.keep = options.texts("domain");
  how.dicom.keep = counted_attributes();
  how.threads = threads_of(options);
  return how;
}

/// One line for each image, bad ones last as they are listed.
void say(const report::DataReport& data, const Findings& findings, bool pixels, Console& console) {
  console.say(report::data_text(data));
  for (const Finding& finding : findings.samples)
    if (pixels && finding.counted && finding.bad.empty()) console.say(finding_text(finding));
  for (const imaging::Bad& bad : data.bad)
    console.say(fmt::format("bad: {}: {}\n", printable(bad.id), printable(bad.reason)));
}

Json pixels_json(const imaging::Dataset& dataset, const Findings& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings.samples)
    if (finding.counted) list.push(finding_json(finding));
  for (const imaging::Bad& one : dataset.bad())
    list.push(Json::object(
        {{"id", printable(one.id, std::string::npos)}, {"bad", printable(one.reason, std::string::npos)}}));
  for (const imaging::Bad& one : dataset.skipped_files())
    list.push(Json::object({{"id", one.id}, {"skipped", one.reason}}));
  return list;
}

}  // namespace

void inspect_data(const std::string& where, const Options& options, Console& console) {
  const std::int64_t thumbnails = options.integer("thumbnails", 0, 0, kMostThumbnails);
  if (thumbnails > 0 && !options.has("html"))
    throw ConfigError("--thumbnails: pictures go on a page; expected --html FILE with it");
  OutputFiles files;
  if (options.has("html")) files.expect("html", options.text("html"));
  expect_identities(options, files);
  std::optional<imaging::Pipeline> pipeline;
  if (options.has("preprocess")) pipeline = preprocess_of(options);

  const std::shared_ptr<const imaging::Dataset> dataset = imaging::open_dataset(where, dataset_options(options));
  for (const std::string& note : dataset->selection_notes()) console.warn(note);
  const bool pixels = options.has("pixels");
  // What a table lists is relative to its folder.
  const fs::path root = fs::is_directory(where) ? fs::path(where) : fs::path(where).parent_path();
  const Findings findings = examine(*dataset, root, pixels, threads_of(options), console.progress());
  report::DataReport data = summarise(*dataset, findings, options.texts("domain"), options.has("show-domains"));
  data.program_version = version();
  data.name = printable(imaging::shown_name(*dataset, where));
  data.notes = dataset->notes(pipeline.value_or(imaging::Pipeline{}));
  if (pipeline) add_preprocessed(data, dataset, *pipeline, threads_of(options), console.progress());
  if (thumbnails > 0) add_thumbnails(data, *dataset, findings, pipeline.value_or(imaging::Pipeline{}), thumbnails);
  if (options.has("html")) files.set(options.text("html"), report::data_html(data));
  set_identities(options, *dataset, files, console);
  files.write();
  if (!console.json()) return say(data, findings, pixels, console);
  Json document = report::data_json(data);
  if (pixels) document.set("pixels", pixels_json(*dataset, findings));
  console.print(document);
}

}  // namespace shiftnorm::app
