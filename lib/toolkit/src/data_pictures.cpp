#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "examine.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/parallel.hpp"
#include "shiftnorm/imaging/sample_store.hpp"

namespace shiftnorm::toolkit {
namespace {

using imaging::Pipeline, imaging::Image;

constexpr std::int64_t kSide = 96;

/// Means, one for each channel, tell how many the network takes; 0: as the images have it.
std::int64_t channels_of(const Pipeline& pipeline) {
  for (const imaging::Step& step : pipeline.steps)
    if (const auto* normalize = std::get_if<imaging::Normalize>(&step); normalize && normalize->mean.size() > 1)
      return static_cast<std::int64_t>(normalize->mean.size());
  return 0;
}

struct Sums {
  double sum = 0, squares = 0;
};

/// One channel's values, given as [images]: sums are added in the order of the images, whoever made them.
imaging::Distribution distribution(std::string name, imaging::Histogram histogram, const std::vector<Sums>& sums) {
  double sum = 0, squares = 0;
  for (const Sums& one : sums) {
    sum += one.sum;
    squares += one.squares;
  }
  const auto n = static_cast<double>(std::max<std::int64_t>(1, histogram.values()));
  const double mean = sum / n;
  return {std::move(name), std::move(histogram), mean, std::sqrt(std::max(0.0, squares / n - mean * mean))};
}

/// Pictures that may show a name: docs/reference/dicom.md#privacy.
bool may_show_names(const imaging::Sample& sample) {
  const std::string modality = code_of(sample, "Modality");
  return code_of(sample, "BurnedInAnnotation") == "YES" || modality == "US" || modality == "SC";
}

/// Values in [0, 1] times 255; what lies outside (voi: none) is stretched to fit.
std::vector<std::uint8_t> bytes_of(const Image& image) {
  std::vector<double> values(image.values());
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = image.bits == 0 ? image.reals[i] : image.pixels[i] / (image.bits == 8 ? 255.0 : 65535.0);
  const auto [low, high] = std::ranges::minmax(values);
  const bool fits = low >= 0 && high <= 1;
  std::vector<std::uint8_t> bytes;
  for (const double v : values) {
    const double y = fits ? v : high > low ? (v - low) / (high - low) : 0;
    bytes.push_back(static_cast<std::uint8_t>(std::lround(255 * std::clamp(y, 0.0, 1.0))));
  }
  return bytes;
}

}  // namespace

void add_preprocessed(imaging::DataReport& report, const std::shared_ptr<const imaging::Dataset>& dataset,
                      const Pipeline& pipeline, int threads, const Progress& progress) {
  const auto rank = dataset->images() ? 3 : dataset->array(0).shape.rank();
  std::vector<std::int64_t> input(rank, 0);
  if (dataset->images()) input[0] = channels_of(pipeline);
  const imaging::SampleStore store(dataset, pipeline, Shape(input), {.threads = threads}, progress);
  const std::size_t channels = store.shape().rank() > 1 ? static_cast<std::size_t>(store.shape()[0]) : 1;
  const auto elements = static_cast<std::size_t>(store.shape().elements());
  std::vector<imaging::Histogram> histograms(channels);
  std::vector<std::vector<Sums>> sums(channels, std::vector<Sums>(store.size()));
  std::mutex mutex;
  for_each_parallel(store.size(), threads, [&](std::size_t i) {
    progress.check();
    std::vector<float> values(elements);
    std::vector<imaging::Histogram> own(channels);
    store.load(i, values);
    for (std::size_t c = 0; c < channels; ++c)
      for (const float v : std::span(values).subspan(c * (elements / channels), elements / channels)) {
        own[c].add(v);
        sums[c][i].sum += v;
        sums[c][i].squares += static_cast<double>(v) * v;
      }
    const std::lock_guard lock(mutex);
    for (std::size_t c = 0; c < channels; ++c) histograms[c].merge(own[c]);
  });
  for (std::size_t c = 0; c < channels; ++c)
    report.after.push_back(distribution(channels == 1 ? "all values" : fmt::format("channel {}", c + 1),
                                        std::move(histograms[c]), sums[c]));
  report.preprocess = pipeline.name;
  report.preprocess_sha256 = sha256_hex(imaging::canonical(pipeline));
  for (const imaging::Bad& bad : store.bad())
    if (std::ranges::find(report.bad, bad.id, &imaging::Bad::id) == report.bad.end()) report.bad.push_back(bad);
}

void add_thumbnails(imaging::DataReport& report, const imaging::Dataset& dataset, const Findings& findings,
                    const Pipeline& pipeline, std::int64_t most) {
  if (!dataset.images()) return;
  const Pipeline small{"thumbnails",
                       {imaging::voi_of(pipeline), imaging::Resize{.size = kSide}, imaging::CenterCrop{kSide, kSide}}};
  for (std::size_t i = 0; i < findings.samples.size(); ++i) {
    const Finding& finding = findings.samples[i];
    if (!finding.counted || !finding.bad.empty()) continue;
    if (static_cast<std::int64_t>(report.thumbnails.size()) + report.withheld >= most) return;
    if (may_show_names(dataset.samples()[i])) {
      ++report.withheld;
      continue;
    }
    const Image image = imaging::apply_image_steps(small, dataset.decode(i), 0);
    report.thumbnails.push_back({finding.id, image.height, image.width, image.channels, bytes_of(image)});
  }
}

}  // namespace shiftnorm::toolkit
