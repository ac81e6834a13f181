#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "inspect.hpp"
#include "job_options.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/experiment/config.hpp"
#include "shiftnorm/imaging/dataset.hpp"
#include "summaries.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;
using container::Json;

/// What one sample holds, or why it is bad.
struct Finding {
  std::string id, format, sha256, dtype, bad;
  std::vector<std::int64_t> shape;
  double min = 0, max = 0, mean = 0;
  std::string transfer_syntax, voi;  ///< DICOM; empty: none
  std::optional<double> voi_mean;
  bool counted = true;  ///< false: a further frame of an object that has its finding
};

struct Magic {
  std::string_view bytes, format;
};
constexpr Magic kMagic[] = {{"\xff\xd8\xff", "jpeg"},
                            {"\x89PNG", "png"},
                            {std::string_view("II*\0", 4), "tiff"},
                            {std::string_view("MM\0*", 4), "tiff"},
                            {"BM", "bmp"}};

/// By content, as the decoder does.
std::string format_of(const fs::path& file) {
  std::array<char, 8> head{};
  std::ifstream stream(file, std::ios::binary);
  stream.read(head.data(), head.size());
  const std::string_view found(head.data(), static_cast<std::size_t>(stream.gcount()));
  for (const Magic& magic : kMagic)
    if (found.starts_with(magic.bytes)) return std::string(magic.format);
  return "unknown";
}

void measure(Finding& finding, std::span<const std::uint16_t> values) {
  const auto [low, high] = std::ranges::minmax(values);
  double sum = 0;
  for (const std::uint16_t v : values) sum += v;
  finding.min = low;
  finding.max = high;
  finding.mean = sum / static_cast<double>(values.size());
}

/// Hash of the values as a dense little-endian array of the stored type.
std::string hash_of(const imaging::Image& image) {
  if (image.bits == 16) return sha256_hex(std::as_bytes(std::span<const std::uint16_t>(image.pixels)));
  std::vector<std::byte> narrow;
  narrow.reserve(image.pixels.size());
  for (const std::uint16_t v : image.pixels) narrow.push_back(static_cast<std::byte>(v));
  return sha256_hex(narrow);
}

void examine_image(const imaging::Dataset& dataset, std::size_t index, bool pixels, Finding& finding) {
  const imaging::Image image = dataset.decode(index);
  finding.shape = {image.height, image.width, image.channels};
  finding.dtype = image.bits == 8 ? "uint8" : "uint16";
  if (!pixels) return;
  finding.sha256 = hash_of(image);
  measure(finding, image.pixels);
}

void examine_array(const imaging::Dataset& dataset, std::size_t index, bool pixels, Finding& finding) {
  const Tensor tensor = dataset.array(index);
  finding.shape = tensor.shape.extents();
  finding.dtype = "float32";
  if (!pixels || tensor.values.empty()) return;
  finding.sha256 = sha256_hex(std::as_bytes(std::span<const float>(tensor.values)));
  finding.min = finding.max = tensor.values[0];
  double sum = 0;
  for (const float v : tensor.values) {
    finding.min = std::min<double>(finding.min, v);
    finding.max = std::max<double>(finding.max, v);
    sum += v;
  }
  finding.mean = sum / static_cast<double>(tensor.values.size());
}

/// A DICOM object: everything is measured on stored values, before the pixel chain.
void examine_object(const imaging::Dataset& dataset, std::size_t index, Finding& finding) {
  const std::optional<imaging::PixelAudit> audit = dataset.audit(index);
  finding.counted = audit.has_value();
  if (!audit) return;
  finding.format = "dicom";
  finding.transfer_syntax = audit->transfer_syntax;
  finding.sha256 = audit->stored_sha256;
  finding.dtype = audit->dtype;
  finding.shape = audit->shape;
  finding.min = audit->min;
  finding.max = audit->max;
  finding.mean = audit->mean;
  finding.voi = audit->voi;
  finding.voi_mean = audit->voi_mean;
}

Finding examine(const imaging::Dataset& dataset, const fs::path& root, std::size_t index, bool pixels) {
  Finding finding;
  finding.id = dataset.samples()[index].id;
  const bool dicom = dataset.reader() == imaging::Reader::dicom;
  finding.format = dicom                                             ? "dicom"
                   : fs::is_regular_file(root / dataset.path(index)) ? format_of(root / dataset.path(index))
                                                                     : "array";
  try {
    if (dicom)
      examine_object(dataset, index, finding);
    else if (dataset.images())
      examine_image(dataset, index, pixels, finding);
    else
      examine_array(dataset, index, pixels, finding);
  } catch (const Error& e) {
    finding.bad = e.what();
  }
  return finding;
}

std::vector<Finding> examine_all(const imaging::Dataset& dataset, const fs::path& root, bool pixels, int threads,
                                 const Progress& progress) {
  std::vector<Finding> findings(dataset.samples().size());
  std::atomic<std::size_t> next{0};
  std::atomic<std::int64_t> done{0};
  std::exception_ptr error;
  std::mutex mutex;
  const auto work = [&] {
    try {
      for (std::size_t i = next++; i < findings.size(); i = next++) {
        progress.check();
        findings[i] = examine(dataset, root, i, pixels);
        const std::lock_guard lock(mutex);
        progress.tell("inspect", ++done, static_cast<std::int64_t>(findings.size()));
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      error = std::current_exception();
      next = findings.size();
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (int t = 1; t < threads; ++t) helpers.emplace_back(work);
    work();
  }
  if (error) std::rethrow_exception(error);
  std::erase_if(findings, [](const Finding& finding) { return !finding.counted; });
  for (const imaging::Bad& one : dataset.bad()) {
    Finding& finding = findings.emplace_back();
    finding.id = one.id;
    finding.bad = one.reason;
  }
  return findings;
}

std::string size_text(const std::vector<std::int64_t>& shape) {
  std::vector<std::string> parts;
  for (const std::int64_t extent : shape) parts.push_back(std::to_string(extent));
  return fmt::format("{}", fmt::join(parts, " x "));
}

/// Everything that is counted, by name.
struct Counts {
  std::map<std::string, std::int64_t> classes, sizes, formats, transfer_syntaxes, skipped;
  std::int64_t patients = 0;
  std::int64_t images = 0, bad = 0;
};

Counts count(const imaging::Dataset& dataset, const std::vector<Finding>& findings) {
  Counts counts;
  for (const std::string& name : dataset.classes()) counts.classes[name] = 0;
  std::map<std::string_view, const imaging::Sample*> samples;
  std::set<std::string_view> patients;
  for (const imaging::Sample& sample : dataset.samples()) {
    samples.emplace(sample.id, &sample);
    if (!sample.patient.empty()) patients.insert(sample.patient);
  }
  counts.patients = static_cast<std::int64_t>(patients.size());
  for (const Finding& finding : findings) {
    if (!finding.bad.empty()) {
      ++counts.bad;
      continue;
    }
    ++counts.images;
    const std::int32_t label = samples.at(finding.id)->label;
    if (label >= 0) ++counts.classes[dataset.classes().at(static_cast<std::size_t>(label))];
    ++counts.sizes[size_text(finding.shape) + " " + finding.dtype];
    ++counts.formats[finding.format];
    if (!finding.transfer_syntax.empty()) ++counts.transfer_syntaxes[finding.transfer_syntax];
  }
  for (const imaging::Bad& one : dataset.skipped_files()) ++counts.skipped[one.reason];
  return counts;
}

Json json_of(const std::map<std::string, std::int64_t>& counted) {
  Json json = Json::object();
  for (const auto& [name, n] : counted) json.set(printable(name), n);
  return json;
}

Json json_of(const Finding& f) {
  if (!f.bad.empty())
    return Json::object({{"id", printable(f.id, f.id.size() + 1)}, {"bad", printable(f.bad, f.bad.size() + 1)}});
  Json shape = Json::array();
  for (const std::int64_t extent : f.shape) shape.push(extent);
  return Json::object({{"id", printable(f.id, f.id.size() + 1)},
                       {"format", f.format},
                       {"transfer_syntax", f.transfer_syntax.empty() ? Json() : Json(f.transfer_syntax)},
                       {"sha256_stored", f.sha256},
                       {"dtype", f.dtype},
                       {"shape", std::move(shape)},
                       {"min", f.min},
                       {"max", f.max},
                       {"mean", f.mean},
                       {"voi", f.voi.empty() ? Json() : Json(f.voi)},
                       {"voi_mean", f.voi_mean ? Json(*f.voi_mean) : Json()}});
}

Json document(const imaging::Dataset& dataset, const std::vector<Finding>& findings, const Counts& counts,
              bool pixels) {
  Json json = Json::object({{"schema", 1}});
  if (pixels) {
    Json list = Json::array();
    for (const Finding& finding : findings) list.push(json_of(finding));
    for (const imaging::Bad& one : dataset.skipped_files())
      list.push(Json::object({{"id", one.id}, {"skipped", one.reason}}));
    json.set("pixels", std::move(list));
  }
  Json counted = Json::object({{"images", counts.images},
                               {"bad", counts.bad},
                               {"skipped", dataset.skipped()},
                               {"patients", counts.patients == 0 ? Json() : Json(counts.patients)},
                               {"classes", json_of(counts.classes)},
                               {"sizes", json_of(counts.sizes)},
                               {"formats", json_of(counts.formats)}});
  if (dataset.reader() == imaging::Reader::dicom)
    counted.set("transfer_syntaxes", json_of(counts.transfer_syntaxes)).set("skipped_because", json_of(counts.skipped));
  json.set("counts", std::move(counted));
  if (const imaging::LabelCounts* labels = dataset.label_counts()) json.set("labels", labels_json(*labels));
  json.set("fingerprint", dataset.fingerprint());
  return json;
}

void say_counted(Console& console, std::string_view heading, const std::map<std::string, std::int64_t>& counted) {
  constexpr std::size_t kShown = 40;
  if (counted.empty()) return;
  std::string text = fmt::format("{}\n", heading);
  std::size_t shown = 0;
  for (const auto& [name, n] : counted) {
    if (shown++ == kShown) {
      text += fmt::format("  and {} more\n", counted.size() - kShown);
      break;
    }
    text += fmt::format("  {:<24} {}\n", printable(name), n);
  }
  console.say(text);
}

void say(Console& console, const std::string& name, const imaging::Dataset& dataset,
         const std::vector<Finding>& findings, const Counts& counts, bool pixels) {
  console.say(fmt::format(
      "{}: {} images, {} bad, {} other files skipped{}\n", name, counts.images, counts.bad, dataset.skipped(),
      dataset.classes().empty() ? ", no labels" : fmt::format(", {} classes", dataset.classes().size())));
  if (const imaging::LabelCounts* labels = dataset.label_counts()) console.say(labels_line(*labels) + "\n");
  say_counted(console, "classes", counts.classes);
  say_counted(console, "sizes", counts.sizes);
  say_counted(console, "formats", counts.formats);
  say_counted(console, "transfer syntaxes", counts.transfer_syntaxes);
  say_counted(console, "skipped because", counts.skipped);
  if (counts.patients > 0) console.say(fmt::format("{} patients\n", counts.patients));
  for (const Finding& f : findings) {
    if (!f.bad.empty())
      console.say(fmt::format("bad: {}: {}\n", printable(f.id), printable(f.bad)));
    else if (pixels)
      console.say(fmt::format("{}: {} {} {} min {:g} max {:g} mean {:.6g}{} sha256 {}\n", printable(f.id), f.format,
                              size_text(f.shape), f.dtype, f.min, f.max, f.mean,
                              f.voi_mean ? fmt::format(" {} {:.6f}", f.voi, *f.voi_mean) : "", f.sha256));
  }
}

}  // namespace

void inspect_data(const std::string& where, const Options& options, Console& console) {
  imaging::DatasetOptions how;
  how.reader = from_option("reader", [&] { return experiment::parse_reader(options.text("reader", "auto")); });
  how.layout = options.text("layout");
  if (options.has("layout")) from_option("layout", [&] { imaging::check_layout(how.layout); });
  read_table_options(options, how);
  how.threads = threads_of(options);
  OutputFiles identities;
  expect_identities(options, identities);
  const auto dataset = imaging::open_dataset(where, how);
  for (const std::string& note : dataset->selection_notes()) console.warn(note);
  const bool pixels = options.has("pixels");
  // What a table lists is relative to its folder.
  const fs::path root = fs::is_directory(where) ? fs::path(where) : fs::path(where).parent_path();
  const std::vector<Finding> findings = examine_all(*dataset, root, pixels, threads_of(options), console.progress());
  const Counts counts = count(*dataset, findings);
  set_identities(options, *dataset, identities, console);
  identities.write();
  if (console.json())
    console.print(document(*dataset, findings, counts, pixels));
  else
    say(console, fs::path(where).filename().string(), *dataset, findings, counts, pixels);
}

}  // namespace shiftnorm::app
