#include "shiftnorm/stats/reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "facts.hpp"
#include "reference_sums.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::stats {
namespace {

/// Of a constant channel without an epsilon, so that it has a unit.
constexpr double kLeastVariance = 1e-30;

/// q as it counts in every sum: a whole number of units.
std::int64_t units_of(double q) { return std::llround(q * Reference::kUnit); }

/// The addend as a whole number of 2^(exponent - kFraction). Far beyond any activation that normalises to a number.
std::int64_t on_grid(double value, int exponent, const std::string& layer) {
  const double units = std::ldexp(value, ReferenceLayer::kFraction - exponent);
  if (!(std::abs(units) < 0x1p52))
    throw FormatError(fmt::format(
        "layer '{}': an image's moments lie a million source deviations off; expected images like the training's",
        layer));
  return std::llround(units);
}

double value_of(std::int64_t units, int exponent) {
  return std::ldexp(static_cast<double>(units), exponent - ReferenceLayer::kFraction);
}

void add(std::int64_t addend, std::int64_t& sum) {
  if (__builtin_add_overflow(sum, addend, &sum) || std::abs(sum) > kMostSummed)
    throw FormatError("sums of too many images; expected fewer");
}

void add_all(const std::vector<std::int64_t>& from, std::vector<std::int64_t>& to) {
  for (std::size_t i = 0; i < to.size(); ++i) add(from[i], to[i]);
}

/// Mean and mean square around the pivot, of one channel.
struct Around {
  double mean, square;
};
Around around_pivot(const ReferenceLayer& layer, std::size_t group, std::size_t channel, double images) {
  const std::size_t at = group * layer.channels() + channel;
  const int exponent = layer.exponent[channel];
  return {value_of(layer.mean[at], exponent) / images, value_of(layer.square[at], 2 * exponent) / images};
}

}  // namespace

double Reference::images_of(std::size_t group) const { return static_cast<double>(counts[group]) / kUnit; }

std::vector<double> Reference::shares() const {
  std::vector<double> out;
  if (findings) {
    for (std::size_t f = 0; f < classes.size(); ++f)
      out.push_back(images_of(2 * f + 1) / (images_of(2 * f) + images_of(2 * f + 1)));
    return out;
  }
  double all = 0;
  for (std::size_t c = 0; c < groups(); ++c) all += images_of(c);
  for (std::size_t c = 0; c < groups(); ++c) out.push_back(images_of(c) / all);
  return out;
}

Moments Reference::moments(std::size_t layer, std::size_t group) const {
  const ReferenceLayer& of = layers[layer];
  Moments out;
  for (std::size_t c = 0; c < of.channels(); ++c) {
    const Around a = around_pivot(of, group, c, images_of(group));
    const double pivot = of.pivot[c];
    out.mean.push_back(pivot + a.mean);
    out.square.push_back(a.square + 2 * pivot * a.mean + pivot * pivot);
  }
  return out;
}

LayerStatistics Reference::mixture(std::size_t layer, std::span<const std::pair<std::size_t, double>> mixed) const {
  const ReferenceLayer& of = layers[layer];
  LayerStatistics out;
  out.name = of.name;
  for (std::size_t c = 0; c < of.channels(); ++c) {
    double mean = 0, square = 0;
    for (const auto& [group, share] : mixed) {
      if (share == 0) continue;
      const Around a = around_pivot(of, group, c, images_of(group));
      mean += share * a.mean;
      square += share * a.square;
    }
    out.mean.push_back(of.pivot[c] + mean);
    out.variance.push_back(std::max(0.0, square - mean * mean));
  }
  return out;
}

void Reference::add_image(std::span<const double> q, std::span<const double> probabilities) {
  for (std::size_t g = 0; g < groups(); ++g) {
    const std::int64_t units = units_of(q[g]);
    add(units, counts[g]);
    for (std::size_t k = 0; k < classes.size(); ++k)
      add(std::llround(static_cast<double>(units) * probabilities[k]), outputs[g * classes.size() + k]);
  }
  ++images;
}

void Reference::add_moments(std::size_t layer, std::span<const double> q, std::span<const double> sum,
                            std::span<const double> square, std::int64_t values) {
  ReferenceLayer& of = layers[layer];
  const auto count = static_cast<double>(values);
  for (std::size_t g = 0; g < groups(); ++g) {
    const double share = static_cast<double>(units_of(q[g])) / kUnit;
    if (share == 0) continue;
    for (std::size_t c = 0; c < of.channels(); ++c) {
      const std::size_t at = g * of.channels() + c;
      const int exponent = of.exponent[c];
      add(on_grid(share * (sum[c] / count), exponent, of.name), of.mean[at]);
      add(on_grid(share * (square[c] / count), 2 * exponent, of.name), of.square[at]);
    }
  }
}

Reference empty_reference(const Statistics& source, std::span<const double> epsilons, std::vector<std::string> classes,
                          bool findings) {
  Reference out;
  out.findings = findings;
  out.classes = std::move(classes);
  out.counts.assign(out.classes.size() * (findings ? 2 : 1), 0);
  out.outputs.assign(out.counts.size() * out.classes.size(), 0);
  for (std::size_t l = 0; l < source.size(); ++l) {
    ReferenceLayer& layer = out.layers.emplace_back();
    layer.name = source[l].name;
    layer.pivot.assign(source[l].mean.begin(), source[l].mean.end());
    for (const double variance : source[l].variance)
      layer.exponent.push_back(std::ilogb(std::sqrt(std::max(variance + epsilons[l], kLeastVariance))) + 1);
    layer.mean.assign(out.groups() * layer.channels(), 0);
    layer.square.assign(out.groups() * layer.channels(), 0);
  }
  return out;
}

Reference merged(std::span<const NamedReference> parts) {
  if (parts.size() < 2) throw ConfigError(fmt::format("{} files to merge; expected two or more", parts.size()));
  const NamedReference& first = parts.front();
  std::vector<NamedFacts> facts;
  for (const NamedReference& part : parts) {
    const Reference &a = first.reference, &b = part.reference;
    facts.push_back({part.name, &b});
    require_same("classes", first.name, join(a.classes, a.classes.size()), part.name,
                 join(b.classes, b.classes.size()));
    require_same("kind", first.name, a.findings ? "several findings" : "one class of each image", part.name,
                 b.findings ? "several findings" : "one class of each image");
    require_same("images counted by", first.name, a.labelled ? "labels" : "the network's probabilities", part.name,
                 b.labelled ? "labels" : "the network's probabilities");
    const auto alike = [](const ReferenceLayer& x, const ReferenceLayer& y) {
      return x.name == y.name && x.pivot == y.pivot && x.exponent == y.exponent;
    };
    if (!std::ranges::equal(a.layers, b.layers, alike))
      refuse_part(part.name, fmt::format("layers that differ from those of {} in name or source", first.name),
                  "references of one network");
  }
  Reference total = first.reference;
  static_cast<MeasuredFacts&>(total) = merged_facts(facts);
  for (std::size_t i = 0; i < parts.size(); ++i)
    for (std::size_t k = 0; k < i; ++k)
      if (std::ranges::equal(parts[i].reference.layers, parts[k].reference.layers,
                             [](const ReferenceLayer& x, const ReferenceLayer& y) { return x.mean == y.mean; }))
        refuse_part(parts[i].name,
                    fmt::format("has exactly the sums of {}: the same images under other names", parts[k].name),
                    std::string(kDifferentImages));
  for (const NamedReference& part : parts.subspan(1)) {
    add_all(part.reference.counts, total.counts);
    add_all(part.reference.outputs, total.outputs);
    for (std::size_t l = 0; l < total.layers.size(); ++l) {
      add_all(part.reference.layers[l].mean, total.layers[l].mean);
      add_all(part.reference.layers[l].square, total.layers[l].square);
    }
  }
  return total;
}

}  // namespace shiftnorm::stats
