#include "shiftnorm/toolkit/advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/stats/statistics_file.hpp"

namespace shiftnorm::toolkit {
namespace {

bool known(std::int32_t label) { return label >= 0; }

}  // namespace

results::Settling settling_of(const adapt::Mode& mode, const stats::Statistics& measured,
                              const stats::Statistics& source, std::int64_t images) {
  const auto pooling = stats::pooling_of(adapt::name_of(mode.semantics), adapt::name_of(mode.estimator));
  results::Settling out;
  out.images = images;
  if (measured.empty()) return out;
  out.layers = stats::settling(pooling, measured, source);
  out.prior = stats::shrinking_prior(out.layers, images);
  return out;
}

std::vector<std::string> notes_on(const adapt::Mode& mode, const results::Settling& settling) {
  const stats::LayerSettling* worst = settling.worst();
  if (worst == nullptr || settling.settled()) return {};
  if (std::isnan(worst->error))
    return {mode.estimator == adapt::Estimator::population || mode.estimator == adapt::Estimator::batch_mean
                ? fmt::format("one {} does not show whether the statistics have settled; more would",
                              mode.estimator == adapt::Estimator::population ? "image" : "batch")
                : fmt::format("estimator {} follows its latest batches and does not show whether it has settled",
                              adapt::name_of(mode.estimator))};
  std::string note = fmt::format(
      "only {} images: the statistics of layer '{}' may be off by {:.2f} standard deviations (settled: below {})",
      settling.images, worst->name, worst->error, stats::kSettled);
  const bool blended = mode.policy == adapt::Policy::blend || mode.policy == adapt::Policy::mixture;
  if (settling.prior && !blended)
    note += fmt::format("; safer: policy blend with prior_images {}", std::max(1.0, std::round(*settling.prior)));
  if (!settling.prior) note += "; the shift is no larger than that error, so policy source may do better";
  return {std::move(note)};
}

std::vector<std::string> notes_on_batches(const adapt::Mode& mode, std::span<const std::int32_t> labels) {
  if (!adapt::in_batches(mode)) return {};
  std::vector<std::string> notes;
  const auto groups = adapt::batches_of(mode, labels.size());
  std::size_t labelled = 0, pure = 0;
  for (const auto& group : groups) {
    if (group.size() < 2 || !std::all_of(group.begin(), group.end(), [&](std::size_t i) { return known(labels[i]); }))
      continue;
    ++labelled;
    pure +=
        std::all_of(group.begin(), group.end(), [&](std::size_t i) { return labels[i] == labels[group[0]]; }) ? 1 : 0;
  }
  const bool several = std::any_of(labels.begin(), labels.end(), [&](std::int32_t l) { return l != labels[0]; });
  if (several && pure > 0)
    notes.push_back(fmt::format(
        "{} of {} batches hold images of only one class, and their statistics are that class's; shuffle mixes them",
        pure, labelled));
  if (mode.estimator == adapt::Estimator::batch_mean && adapt::measures(mode.policy) && groups.size() > 1) {
    notes.push_back(mode.batch == 1
                        ? std::string("batch-mean with batches of 1 loses the variance between images altogether")
                        : fmt::format("batch-mean loses about 1/{} of the variance between images: what lies between "
                                      "its batches (estimator population keeps it)",
                                      mode.batch));
    if (groups.back().size() < groups.front().size())
      notes.push_back(fmt::format("batch-mean counts the last batch of {} image(s) as much as one of {}",
                                  groups.back().size(), groups.front().size()));
  }
  return notes;
}

}  // namespace shiftnorm::toolkit
