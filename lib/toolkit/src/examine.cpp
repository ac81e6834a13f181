#include "examine.hpp"

#include <algorithm>
#include <mutex>

#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/parallel.hpp"

namespace shiftnorm::toolkit {
namespace {

namespace fs = std::filesystem;
using imaging::Histogram;

Histogram measure_reals(Finding& finding, std::span<const float> values, bool whole) {
  Histogram histogram = whole ? Histogram(0) : Histogram();
  if (values.empty()) return histogram;
  double sum = 0;
  for (const float v : values) {
    histogram.add(v);
    sum += v;
  }
  finding.min = *std::ranges::min_element(values);
  finding.max = *std::ranges::max_element(values);
  finding.values = static_cast<std::int64_t>(values.size());
  finding.mean = sum / static_cast<double>(values.size());
  return histogram;
}

Histogram measure(Finding& finding, const imaging::Image& image) {
  if (image.bits == 0) return measure_reals(finding, image.reals, false);
  std::vector<std::int64_t> counts(std::size_t{1} << image.bits);
  for (const std::uint16_t v : image.pixels) ++counts.at(v);
  Histogram histogram(0);
  double sum = 0;
  for (std::size_t v = 0; v < counts.size(); ++v) {
    histogram.add(static_cast<double>(v), counts[v]);
    sum += static_cast<double>(v) * static_cast<double>(counts[v]);
  }
  finding.min = histogram.min();
  finding.max = histogram.max();
  finding.values = histogram.values();
  finding.mean = sum / static_cast<double>(histogram.values());
  return histogram;
}

/// Hash of the values as a dense little-endian array of the stored type.
std::string hash_of(const imaging::Image& image) {
  if (image.bits == 0) return sha256_hex(std::as_bytes(std::span<const float>(image.reals)));
  if (image.bits == 16) return sha256_hex(std::as_bytes(std::span<const std::uint16_t>(image.pixels)));
  std::vector<std::byte> narrow;
  narrow.reserve(image.pixels.size());
  for (const std::uint16_t v : image.pixels) narrow.push_back(static_cast<std::byte>(v));
  return sha256_hex(narrow);
}

Histogram examine_image(const imaging::Dataset& dataset, std::size_t index, bool pixels, Finding& finding) {
  const imaging::Image image = dataset.decode(index);
  finding.shape = {image.height, image.width, image.channels};
  finding.dtype = image.bits == 0 ? "float32" : image.bits == 8 ? "uint8" : "uint16";
  finding.group = finding.dtype;
  if (pixels) finding.sha256 = hash_of(image);
  return measure(finding, image);
}

Histogram examine_array(const imaging::Dataset& dataset, std::size_t index, bool pixels, Finding& finding) {
  const Tensor tensor = dataset.array(index);
  finding.shape = tensor.shape.extents();
  finding.dtype = finding.group = "float32";
  if (pixels && !tensor.values.empty())
    finding.sha256 = sha256_hex(std::as_bytes(std::span<const float>(tensor.values)));
  return measure_reals(finding, tensor.values, dataset.integers());
}

/// A DICOM object: everything is measured on stored values, before the pixel chain.
Histogram examine_object(const imaging::Dataset& dataset, std::size_t index, Finding& finding) {
  const std::optional<imaging::PixelAudit> audit = dataset.audit(index);
  finding.counted = audit.has_value();
  if (!audit) return Histogram();
  finding.format = "dicom";
  finding.transfer_syntax = audit->transfer_syntax;
  finding.transfer_syntax_name = audit->transfer_syntax_name;
  finding.sha256 = audit->stored_sha256;
  finding.dtype = audit->dtype;
  finding.shape = audit->shape;
  finding.min = audit->min;
  finding.max = audit->max;
  finding.mean = audit->mean;
  finding.values = audit->values.values();
  finding.voi = audit->voi;
  finding.voi_mean = audit->voi_mean;
  finding.remarks = audit->remarks;
  finding.group = code_of(dataset.samples()[index], "Modality");
  if (finding.voi.empty()) finding.group += ", colour";
  return audit->values;
}

Finding examine_one(const imaging::Dataset& dataset, const fs::path& root, std::size_t index, bool pixels,
                    Histogram& histogram) {
  Finding finding;
  finding.id = dataset.samples()[index].id;
  const bool dicom = dataset.reader() == imaging::Reader::dicom;
  finding.format = dicom                                             ? "dicom"
                   : fs::is_regular_file(root / dataset.path(index)) ? imaging::image_format(root / dataset.path(index))
                                                                     : "array";
  try {
    histogram = dicom              ? examine_object(dataset, index, finding)
                : dataset.images() ? examine_image(dataset, index, pixels, finding)
                                   : examine_array(dataset, index, pixels, finding);
  } catch (const Error& e) {
    finding.bad = e.what();
    // A fault of DICOM reads `reason: detail`.
    if (dicom) finding.kind = finding.bad.substr(0, finding.bad.find(':'));
  }
  return finding;
}

}  // namespace

Findings examine(const imaging::Dataset& dataset, const fs::path& root, bool pixels, int threads,
                 const Progress& progress) {
  Findings all;
  std::vector<Finding>& findings = all.samples;
  findings.resize(dataset.samples().size());
  std::int64_t done = 0;
  std::mutex mutex;
  for_each_parallel(findings.size(), threads, [&](std::size_t i) {
    progress.check();
    Histogram histogram;
    findings[i] = examine_one(dataset, root, i, pixels, histogram);
    const std::lock_guard lock(mutex);
    if (histogram.values() + histogram.not_finite() > 0) all.intensities[findings[i].group].merge(histogram);
    progress.tell("inspect", ++done, static_cast<std::int64_t>(findings.size()));
  });
  return all;
}

std::string code_of(const imaging::Sample& sample, const std::string& attribute) {
  constexpr std::size_t kLongest = 16;
  const auto found = sample.attributes.find(attribute);
  if (found == sample.attributes.end() || found->second.empty()) return "unknown";
  const std::string& value = found->second;
  const bool code = value.size() <= kLongest && std::ranges::all_of(value, [](char c) {
                      return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ' ';
                    });
  return code ? value : "no code";
}

}  // namespace shiftnorm::toolkit
