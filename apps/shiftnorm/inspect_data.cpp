#include "shiftnorm/toolkit/inspect_data.hpp"

#include <fmt/format.h>

#include "data_options.hpp"
#include "inspect.hpp"
#include "resource_options.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/report/data_report.hpp"
#include "shiftnorm/toolkit/output_files.hpp"
#include "table_options.hpp"

namespace shiftnorm::app {
namespace {

using container::Json;
using toolkit::Finding, toolkit::InspectDataOptions, toolkit::InspectedData;

constexpr std::int64_t kMostThumbnails = 200;

imaging::DatasetOptions dataset_options(const Options& options) {
  imaging::DatasetOptions how;
  read_reader_options(options, how);
  read_table_options(options, how);
  return how;
}

std::string finding_text(const Finding& f) {
  if (!f.bad.empty()) return fmt::format("bad: {}: {}\n", printable(f.id), printable(f.bad));
  std::string text = fmt::format("{}: {} {} {} min {:g} max {:g} mean {:.6g}{} sha256 {}\n", printable(f.id), f.format,
                                 toolkit::size_text(f.shape), f.dtype, f.min, f.max, f.mean,
                                 f.voi_mean ? fmt::format(" {} {:.6f}", f.voi, *f.voi_mean) : "", f.sha256);
  for (const std::string& remark : f.remarks) text += fmt::format("  {}\n", remark);
  return text;
}

/// One line for each image, bad ones last as they are listed.
void say(const InspectedData& data, bool pixels, Console& console) {
  console.say(report::data_text(data.report));
  for (const Finding& finding : data.findings.samples)
    if (pixels && finding.counted && finding.bad.empty()) console.say(finding_text(finding));
  for (const imaging::Bad& bad : data.report.bad)
    console.say(fmt::format("bad: {}: {}\n", printable(bad.id), printable(bad.reason)));
}

}  // namespace

void inspect_data(const std::string& where, const Options& options, Console& console) {
  InspectDataOptions job{where};
  job.thumbnails = options.integer("thumbnails", 0, 0, kMostThumbnails);
  if (job.thumbnails > 0 && !options.has("html"))
    throw ConfigError("--thumbnails: pictures go on a page; expected --html FILE with it");
  OutputFiles files;
  if (options.has("html")) files.expect("html", options.text("html"));
  expect_identities(options, files);
  if (options.has("preprocess")) job.preprocess = preprocess_of(options);
  job.dataset = dataset_options(options);
  job.domains = options.texts("domain");
  job.show_domains = options.has("show-domains");
  job.pixels = options.has("pixels");
  job.threads = threads_of(options);
  job.events = console.messages();

  const InspectedData data = toolkit::inspect_data(job);
  if (options.has("html")) files.set(options.text("html"), report::data_html(data.report));
  set_identities(options, *data.dataset, files, console);
  files.write();
  if (!console.json()) return say(data, job.pixels, console);
  Json document = report::data_json(data.report);
  if (job.pixels) document.set("pixels", toolkit::pixels_json(data));
  console.print(document);
}

}  // namespace shiftnorm::app
