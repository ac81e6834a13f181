#include "target_mixture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "probabilities.hpp"
#include "share_estimate.hpp"
#include "shiftnorm/adapt/mixture.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::toolkit {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
/// Of shares as people write them, rounded to per cent.
constexpr double kOffOne = 0.015;

std::size_t index_of(const stats::Reference& reference, const std::string& name) {
  const auto found = std::ranges::find(reference.classes, name);
  if (found == reference.classes.end())
    throw ConfigError(fmt::format("shares: '{}' is no class of the reference (nearest is '{}'); expected some of {}",
                                  printable(name), printable(nearest(name, reference.classes)),
                                  join(reference.classes)));
  return static_cast<std::size_t>(found - reference.classes.begin());
}

std::vector<double> given(const stats::Reference& reference, const adapt::ShareList& shares) {
  std::vector<double> out(reference.classes.size(), reference.findings ? kNone : 0.0);
  double sum = 0;
  for (const auto& [name, share] : shares) {
    out[index_of(reference, name)] = share;
    sum += share;
  }
  if (reference.findings) return out;
  if (std::abs(sum - 1) > kOffOne)
    throw ConfigError(fmt::format("shares: add up to {:g}; expected 1 (classes that are not named have none)", sum));
  for (double& share : out) share /= sum;
  return out;
}

std::vector<double> counted(const Session& session, const std::vector<std::size_t>& images) {
  const stats::Reference& reference = session.reference->reference;
  const std::size_t classes = reference.classes.size();
  std::vector<double> known(classes, 0.0), present(classes, 0.0);
  double labelled = 0;
  for (const std::size_t i : images) {
    const imaging::Sample& sample = session.store->sample(i);
    if (reference.findings) {
      for (std::size_t f = 0; f < std::min(classes, sample.findings.size()); ++f)
        if (sample.findings[f] >= 0) {
          known[f] += 1;
          present[f] += sample.findings[f];
        }
      labelled += sample.labelled() ? 1 : 0;
    } else if (sample.label >= 0) {
      present.at(static_cast<std::size_t>(sample.label)) += 1;
      labelled += 1;
    }
  }
  if (labelled == 0)
    throw ConfigError("shares = labels: no image has a label; expected labels of some, class: share, or estimate");
  for (std::size_t c = 0; c < classes; ++c)
    present[c] = reference.findings ? (known[c] > 0 ? present[c] / known[c] : kNone) : present[c] / labelled;
  return present;
}

}  // namespace

results::MixtureFacts MixtureFinder::facts(const adapt::Mode& mode, const std::vector<std::size_t>& images,
                                           const Progress& progress) {
  const stats::Reference& reference = session_.reference->reference;
  results::MixtureFacts out;
  out.from = adapt::name_of(mode.shares.from);
  out.findings = reference.findings;
  out.classes = reference.classes;
  out.reference_shares = reference.shares();
  out.reference_images = reference.images;
  out.reference_labelled = reference.labelled;
  switch (mode.shares.from) {
    case adapt::SharesFrom::given: out.shares = given(reference, mode.shares.given); break;
    case adapt::SharesFrom::labels: out.shares = counted(session_, images); break;
    case adapt::SharesFrom::estimate: estimate_shares(session_, mode, images, seed_, progress, out); break;
  }
  return out;
}

CarriedOut MixtureFinder::find(const adapt::Mode& mode, const std::vector<std::size_t>& images,
                               const Progress& progress) {
  if (mode.policy != adapt::Policy::matched) return {mode, std::nullopt};
  adapt::Mode asked = adapt::measuring_of(mode);
  std::string key = adapt::canonical(asked) + "\n" + sha256_hex(std::as_bytes(std::span(images)));
  auto known = found_.find(key);
  if (known == found_.end()) known = found_.emplace(std::move(key), facts(asked, images, progress)).first;
  CarriedOut out{mode, known->second};
  out.mode.mixture = std::make_shared<const adapt::Mixture>(
      adapt::mixture_of(session_.reference->reference, session_.reference->sha256, known->second.shares));
  return out;
}

namespace {

/// The largest shares, beside the reference's.
std::string shares_text(const results::MixtureFacts& mixture) {
  constexpr std::size_t kMostNamed = 5;
  std::vector<std::size_t> order;
  for (std::size_t c = 0; c < mixture.classes.size(); ++c)
    if (!std::isnan(mixture.shares[c])) order.push_back(c);
  std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::size_t c) { return mixture.shares[c]; });
  const bool some = order.size() > kMostNamed;
  if (some) order.resize(kMostNamed);
  std::string text;
  for (const std::size_t c : order) {
    text +=
        fmt::format("{}{} {:.0f} %", text.empty() ? "" : ", ", printable(mixture.classes[c]), 100 * mixture.shares[c]);
    if (!mixture.intervals.empty())
      text += fmt::format(" [{:.0f}, {:.0f}]", 100 * mixture.intervals[c].low, 100 * mixture.intervals[c].high);
    text += fmt::format(" (reference {:.0f} %)", 100 * mixture.reference_shares[c]);
  }
  return fmt::format("shares of classes, {}: {}{}",
                     mixture.from == "estimate" ? "estimated"
                     : mixture.from == "labels" ? "counted in labels"
                                                : "as given",
                     text, some ? ", .." : "");
}

}  // namespace

std::vector<std::string> notes_on(const results::MixtureFacts& mixture) {
  std::vector<std::string> notes{shares_text(mixture)};
  if (!mixture.tells)
    notes.push_back(
        fmt::format("the shares of the classes cannot be told from these images: {}; name them (shares: class: share), "
                    "or label some images (shares: labels)",
                    mixture.reason));
  return notes;
}

std::vector<std::optional<results::MixtureFacts>> find_mixtures(MixtureFinder& finder,
                                                                std::vector<adapt::Domain>& treated,
                                                                const Progress& progress) {
  std::vector<std::optional<results::MixtureFacts>> out;
  for (adapt::Domain& domain : treated) {
    CarriedOut carried = finder.find(domain.mode, domain.images, progress);
    domain.mode = std::move(carried.mode);
    out.push_back(std::move(carried.mixture));
  }
  return out;
}

void correct_outputs(const adapt::Mode& mode, config::OutputKind kind, adapt::Outputs& outputs) {
  correct_outputs(mode, kind, every_image(outputs.values.size() / static_cast<std::size_t>(outputs.width)), outputs);
}

void correct_outputs(const adapt::Mode& mode, config::OutputKind kind, const std::vector<std::size_t>& images,
                     adapt::Outputs& outputs) {
  if (!mode.prior_correction || !mode.mixture) return;
  const std::vector<double> prior = adapt::prior_logits(*mode.mixture);
  const auto width = static_cast<std::size_t>(outputs.width);
  for (const std::size_t i : images)
    correct_for_prior(prior, kind, std::span(outputs.values).subspan(i * width, width));
}

}  // namespace shiftnorm::toolkit
