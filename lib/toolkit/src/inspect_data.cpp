#include "shiftnorm/toolkit/inspect_data.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "examine.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/core/version.hpp"

namespace shiftnorm::toolkit {
namespace {

namespace fs = std::filesystem;
using container::Json;

Json finding_json(const Finding& f) {
  if (!f.bad.empty())
    return Json::object({{"id", printable(f.id, f.id.size() + 1)}, {"bad", printable(f.bad, f.bad.size() + 1)}});
  Json shape = Json::array();
  for (const std::int64_t extent : f.shape) shape.push(extent);
  return Json::object({{"id", printable(f.id, f.id.size() + 1)},
                       {"format", f.format},
                       {"transfer_syntax", container::text_or_null(f.transfer_syntax)},
                       {"sha256_stored", f.sha256},
                       {"dtype", f.dtype},
                       {"shape", std::move(shape)},
                       {"min", f.min},
                       {"max", f.max},
                       {"mean", f.mean},
                       {"voi", container::text_or_null(f.voi)},
                       {"voi_mean", container::value_or_null(f.voi_mean)},
                       {"remarks", container::texts_json(f.remarks)}});
}

}  // namespace

InspectedData inspect_data(const InspectDataOptions& options) {
  imaging::DatasetOptions how = options.dataset;
  how.keep = options.domains;
  how.dicom.keep = counted_attributes();
  how.threads = options.threads;
  InspectedData data;
  data.dataset = imaging::open_dataset(options.where, how);
  const imaging::Dataset& dataset = *data.dataset;
  for (const std::string& note : dataset.selection_notes()) options.events.warn(note);
  // What a table lists is relative to its folder.
  const fs::path where = options.where, root = fs::is_directory(where) ? where : where.parent_path();
  const Progress& progress = options.events.progress;
  data.findings = examine(dataset, root, options.pixels, options.threads, progress);
  const imaging::Pipeline pipeline = options.preprocess.value_or(imaging::Pipeline{});
  imaging::DataReport& report = data.report;
  report = summarise(dataset, data.findings, options.domains, options.show_domains);
  report.program_version = version();
  report.name = printable(imaging::shown_name(dataset, options.where));
  report.notes = dataset.notes(pipeline);
  if (options.preprocess) add_preprocessed(report, data.dataset, pipeline, options.threads, progress);
  if (options.thumbnails > 0) add_thumbnails(report, dataset, data.findings, pipeline, options.thumbnails);
  return data;
}

Json pixels_json(const InspectedData& data) {
  Json list = Json::array();
  for (const Finding& finding : data.findings.samples)
    if (finding.counted) list.push(finding_json(finding));
  for (const imaging::Bad& one : data.dataset->bad())
    list.push(Json::object(
        {{"id", printable(one.id, std::string::npos)}, {"bad", printable(one.reason, std::string::npos)}}));
  for (const imaging::Bad& one : data.dataset->skipped_files())
    list.push(Json::object({{"id", one.id}, {"skipped", one.reason}}));
  return list;
}

std::string size_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t extent : shape) text += fmt::format("{}{}", text.empty() ? "" : " x ", extent);
  return text;
}

}  // namespace shiftnorm::toolkit
