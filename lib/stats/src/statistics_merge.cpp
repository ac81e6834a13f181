#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "facts.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/stats/statistics_file.hpp"
#include "statistics_method.hpp"

namespace shiftnorm::stats {
namespace {

void check_same(const NamedStatistics& first, const NamedStatistics& part) {
  require_same("semantics", first.name, first.file.semantics, part.name, part.file.semantics);
  require_same("estimator", first.name, first.file.estimator, part.name, part.file.estimator);
  if (first.file.batch != part.file.batch)
    refuse_part(part.name, fmt::format("batches of {} images", part.file.batch),
                fmt::format("{}, as {} has", first.file.batch, first.name));
  if (first.file.layers.size() != part.file.layers.size())
    refuse_part(part.name, fmt::format("{} layers", part.file.layers.size()),
                fmt::format("{}", first.file.layers.size()));
  for (std::size_t i = 0; i < part.file.layers.size(); ++i) {
    const LayerStatistics &a = first.file.layers[i], &b = part.file.layers[i];
    if (a.name != b.name || a.mean.size() != b.mean.size() || a.sums.pivot() != b.sums.pivot())
      refuse_part(part.name,
                  fmt::format("layer '{}' differs from '{}' of {} in name, channels, pivot or being measured", b.name,
                              a.name, first.name),
                  "the same layers measured in every part");
  }
}

void check_whole_batches(std::span<const NamedStatistics> parts) {
  const NamedStatistics* ragged = nullptr;
  for (const NamedStatistics& part : parts) {
    if (part.file.batch == 0 || part.file.images % part.file.batch == 0) continue;
    if (ragged != nullptr)
      refuse_part(part.name, fmt::format("{} images in batches of {}", part.file.images, part.file.batch),
                  fmt::format("whole batches, as {} ends with a ragged one already", ragged->name));
    ragged = &part;
  }
}

void add_layer(const LayerStatistics& part, bool in_batches, LayerStatistics& total) {
  if (total.values + part.values > kMostCounted) throw ConfigError("more than 2^53 values; expected fewer parts");
  total.values += part.values;
  total.images += part.images;
  if (in_batches) total.batches += part.batches;  // without batches the whole set is one group
  ChannelMoments sums = total.sums;
  sums.merge(part.sums);
  // A sum that grew beyond what a file may hold must not go on growing.
  for (const std::vector<ExactSum>* each : {&sums.sums(), &sums.squares()})
    for (const ExactSum& sum : *each) static_cast<void>(ExactSum::from_digits(sum.digits()));
  for (const auto& channel : total.spread.products())
    for (const ExactSum& sum : channel) static_cast<void>(ExactSum::from_digits(sum.digits()));
  total.sums = std::move(sums);
  if (total.spread.channels() > 0 && part.spread.channels() > 0)
    total.spread.merge(part.spread);
  else
    total.spread = {};
}

/// The same numbers in every layer: the same images, whatever they were called.
bool same_sums(const StatisticsFile& a, const StatisticsFile& b) {
  const auto measured = [](const LayerStatistics& layer) { return layer.values > 0; };
  return std::ranges::any_of(a.layers, measured) &&
         std::ranges::equal(a.layers, b.layers, [](const LayerStatistics& x, const LayerStatistics& y) {
           return x.values == y.values && x.images == y.images && x.sums == y.sums;
         });
}

void check_sums_differ(std::span<const NamedStatistics> parts) {
  for (std::size_t i = 0; i < parts.size(); ++i)
    for (std::size_t k = 0; k < i; ++k)
      if (same_sums(parts[k].file, parts[i].file))
        refuse_part(parts[i].name,
                    fmt::format("has exactly the sums of {}: the same images under other names", parts[k].name),
                    std::string(kDifferentImages));
}

}  // namespace

StatisticsFile merged(std::span<const NamedStatistics> parts) {
  if (parts.size() < 2) throw ConfigError(fmt::format("{} files to merge; expected two or more", parts.size()));
  for (const NamedStatistics& part : parts)
    if (const Method& method = method_of(part.file.semantics, part.file.estimator); !method.unmergeable.empty())
      throw ConfigError(fmt::format("{}: semantics {} with estimator {} cannot be merged: {}", part.name,
                                    method.semantics, method.estimator, method.unmergeable));
  for (const NamedStatistics& part : parts.subspan(1)) check_same(parts[0], part);
  check_whole_batches(parts);
  std::vector<NamedFacts> facts;
  for (const NamedStatistics& part : parts) facts.push_back({part.name, &part.file});
  StatisticsFile total = parts[0].file;
  static_cast<MeasuredFacts&>(total) = merged_facts(facts);
  check_sums_differ(parts);
  for (const NamedStatistics& part : parts.subspan(1)) {
    if (part.file.shuffle != total.shuffle) total.shuffle = "mixed";
    for (std::size_t i = 0; i < total.layers.size(); ++i)
      if (total.layers[i].values > 0) add_layer(part.file.layers[i], total.batch > 0, total.layers[i]);
  }
  const Pooling pooling = pooling_of(total.semantics, total.estimator);
  for (LayerStatistics& layer : total.layers)
    if (layer.values > 0) estimate(pooling, layer);
  return total;
}

}  // namespace shiftnorm::stats
