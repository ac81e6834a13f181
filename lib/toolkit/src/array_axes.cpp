#include "array_axes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::toolkit {
namespace {

using Extents = std::vector<std::int64_t>;

/// "NHWC" as "NCHW".
std::string channels_first(std::string layout) {
  std::rotate(layout.begin() + 1, layout.end() - 1, layout.end());
  return layout;
}

/// The layout that a data set opened without one is to be opened with. Empty: as it lies.
std::string layout_for(const RestoredModel& model, const imaging::Dataset& dataset, const std::string& where) {
  const std::string& own = model.checkpoint.layout;
  if (own.empty() || dataset.reader() != imaging::Reader::array || dataset.images()) return {};
  const Extents first = model.fixed_sample();
  if (first.empty()) return {};
  Extents last = first;
  std::rotate(last.begin(), last.begin() + 1, last.end());
  const Shape sample = dataset.array(0).shape;
  const bool as_it_lies = fit(sample.extents(), first), channels_last = fit(sample.extents(), last);
  if (channels_last && as_it_lies && sample.elements() > 1)
    throw ConfigError(
        fmt::format("{}: samples of {} fit the network both as {} and as {}; expected --layout (layout in "
                    "a YAML) with one of them",
                    imaging::shown_name(dataset, where), sample.text(), own, channels_first(own)));
  return channels_last && !as_it_lies ? own : std::string();
}

}  // namespace

bool fit(const Extents& sample, const Extents& wanted) {
  return std::ranges::equal(sample, wanted, [](std::int64_t s, std::int64_t w) { return w == 0 || s == w; });
}

std::unique_ptr<imaging::Dataset> open_for(const RestoredModel& model, const std::string& where,
                                           imaging::DatasetOptions& options, SessionCache& cache,
                                           const std::string& key) {
  const auto opened = [&](const std::string& name) {
    const auto open = [&] { return imaging::open_dataset(where, options); };
    return cache.dataset(name, open);
  };
  std::unique_ptr<imaging::Dataset> found = opened(key);
  if (!options.layout.empty()) return found;
  options.layout = layout_for(model, *found, where);
  return options.layout.empty() ? std::move(found)
                                : opened(key.empty() ? key : fmt::format("{}\nlayout {}", key, options.layout));
}

}  // namespace shiftnorm::toolkit
