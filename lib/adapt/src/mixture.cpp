#include "shiftnorm/adapt/mixture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::adapt {
namespace {

using GroupShares = std::vector<std::pair<std::size_t, double>>;

/// Of the layer's median variance: below, a channel is dead.
constexpr double kDead = 1e-8;
/// Shares are kept this far from 0 and 1 where their logarithms are taken.
constexpr double kLeastShare = 1e-6;

void require_images(const stats::Reference& reference, std::size_t group, const std::string& what) {
  if (reference.has(group)) return;
  throw ConfigError(fmt::format(
      "shares: {} has a share of the target and no image in the reference; expected a reference with some of it",
      what));
}

MixturePart part_of(const stats::Reference& reference, const GroupShares& shares) {
  MixturePart part;
  for (std::size_t l = 0; l < reference.layers.size(); ++l) part.moments.push_back(reference.mixture(l, shares));
  return part;
}

MixturePart of_classes(const stats::Reference& reference, std::span<const double> shares) {
  GroupShares groups;
  for (std::size_t c = 0; c < shares.size(); ++c) {
    if (shares[c] == 0) continue;
    require_images(reference, c, fmt::format("class '{}'", printable(reference.classes[c])));
    groups.emplace_back(c, shares[c]);
  }
  return part_of(reference, groups);
}

MixturePart of_finding(const stats::Reference& reference, std::size_t finding, double share) {
  GroupShares groups;
  for (const auto& [group, part] : {std::pair{2 * finding, 1 - share}, std::pair{2 * finding + 1, share}}) {
    if (part == 0) continue;
    require_images(
        reference, group,
        fmt::format("finding '{}' {}", printable(reference.classes[finding]), group % 2 == 0 ? "absent" : "present"));
    groups.emplace_back(group, part);
  }
  return part_of(reference, groups);
}

/// How far the means of a finding's two groups lie apart in every channel, in variances of the reference.
std::vector<std::vector<double>> distances(const stats::Reference& reference, std::size_t finding,
                                           const stats::Statistics& moments) {
  std::vector<std::vector<double>> out;
  for (std::size_t l = 0; l < reference.layers.size(); ++l) {
    const std::size_t channels = reference.layers[l].channels();
    if (!reference.has(2 * finding) || !reference.has(2 * finding + 1)) {
      out.emplace_back(channels, 0.0);
      continue;
    }
    const std::vector<double> absent = reference.moments(l, 2 * finding).mean,
                              present = reference.moments(l, 2 * finding + 1).mean;
    std::vector<double>& own = out.emplace_back();
    for (std::size_t c = 0; c < channels; ++c) {
      const double apart = present[c] - absent[c], variance = moments[l].variance[c];
      own.push_back(variance > 0 ? apart * apart / variance : 0.0);
    }
  }
  return out;
}

/// Where no finding tells anything apart, all count alike.
void weigh(std::vector<MixturePart>& parts) {
  for (std::size_t l = 0; l < parts.front().weights.size(); ++l)
    for (std::size_t c = 0; c < parts.front().weights[l].size(); ++c) {
      double sum = 0;
      for (const MixturePart& part : parts) sum += part.weights[l][c];
      for (MixturePart& part : parts) {
        double& weight = part.weights[l][c];
        weight = sum > 0 ? weight / sum : 1 / static_cast<double>(parts.size());
      }
    }
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

struct Matched {
  double mean, variance;
};
Matched match_channel(double reference_mean, double reference_variance, double epsilon, double source_mean,
                      double source_variance, double mean, double variance) {
  const double r = std::sqrt((variance + epsilon) / (reference_variance + epsilon));
  return {mean + r * (source_mean - reference_mean), r * r * source_variance};
}

}  // namespace

Mixture mixture_of(const stats::Reference& reference, const std::string& hash, std::vector<double> shares) {
  Mixture out;
  out.reference = hash;
  out.findings = reference.findings;
  out.reference_shares = reference.shares();
  out.shares = std::move(shares);
  std::string text = hash;
  for (const double share : out.shares) text += fmt::format(" {}", share);
  out.key = sha256_hex(text);
  if (!reference.findings) {
    out.parts.push_back(of_classes(reference, out.shares));
    return out;
  }
  const auto used =
      static_cast<std::size_t>(std::ranges::count_if(out.shares, [](double share) { return !std::isnan(share); }));
  if (used == 0 || used > kMostFindings)
    throw ConfigError(fmt::format("shares: {} findings are matched; expected 1 to {} (shares names those that matter)",
                                  used, kMostFindings));
  for (std::size_t f = 0; f < out.shares.size(); ++f) {
    if (std::isnan(out.shares[f])) continue;
    MixturePart& part = out.parts.emplace_back(of_finding(reference, f, out.shares[f]));
    part.weights = distances(reference, f, part.moments);
  }
  weigh(out.parts);
  return out;
}

void match(const Mixture& mixture, std::size_t layer, double epsilon, const stats::LayerStatistics& source,
           stats::LayerStatistics& target) {
  const stats::LayerStatistics measured = target;
  std::vector<double> least;
  for (const MixturePart& part : mixture.parts) least.push_back(kDead * median(part.moments[layer].variance));
  for (std::size_t c = 0; c < target.mean.size(); ++c) {
    double mean = 0, variance = 0;
    for (std::size_t p = 0; p < mixture.parts.size(); ++p) {
      const MixturePart& part = mixture.parts[p];
      const double m = part.moments[layer].mean[c], v = part.moments[layer].variance[c];
      const Matched own = v < least[p] ? Matched{measured.mean[c], measured.variance[c]}
                                       : match_channel(m, v, epsilon, source.mean[c], source.variance[c],
                                                       measured.mean[c], measured.variance[c]);
      const double weight = part.weights.empty() ? 1.0 : part.weights[layer][c];
      mean += weight * own.mean;
      variance += weight * own.variance;
    }
    target.mean[c] = mean;
    target.variance[c] = variance;
  }
}

std::vector<double> prior_logits(const Mixture& mixture) {
  std::vector<double> out;
  for (std::size_t c = 0; c < mixture.shares.size(); ++c) {
    const double share = std::clamp(mixture.shares[c], kLeastShare, 1 - kLeastShare),
                 before = std::clamp(mixture.reference_shares[c], kLeastShare, 1 - kLeastShare);
    if (std::isnan(mixture.shares[c]))
      out.push_back(0);
    else if (mixture.findings)
      out.push_back(std::log(share / (1 - share)) - std::log(before / (1 - before)));
    else
      out.push_back(std::log(std::max(mixture.shares[c], kLeastShare) / before));
  }
  return out;
}

}  // namespace shiftnorm::adapt
