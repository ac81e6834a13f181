#include "shiftnorm/adapt/mode.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::adapt {
namespace {

constexpr std::array kFormerNames{
    FormerName{"hybrid", Policy::hybrid_decay,
               "it is the rule of the repository of Hybrid-TTN (CoLLAs 2024), not the one that its paper describes"}};

void check_weights(const Mode& m, std::vector<std::string>& out) {
  if (m.source_weight && m.prior_images)
    out.emplace_back("source_weight and prior_images are both given; expected one of them");
  if ((m.source_weight || m.prior_images) && !weighted(m.policy))
    out.push_back(fmt::format(
        "policy {} takes no source_weight or prior_images; expected policy blend, mixture, batch or instance",
        name_of(m.policy)));
  if ((m.policy == Policy::blend || m.policy == Policy::mixture) && !m.source_weight && !m.prior_images)
    out.push_back(fmt::format("policy {} has no weight; expected source_weight or prior_images", name_of(m.policy)));
  if (m.source_weight && !(*m.source_weight >= 0 && *m.source_weight <= 1))
    out.push_back(fmt::format("source_weight = {}; expected a number in [0, 1]", *m.source_weight));
  if (m.prior_images && !(*m.prior_images >= 0 && *m.prior_images < 1e18))
    out.push_back(fmt::format("prior_images = {}; expected a number of images, 0 or more", *m.prior_images));
}

void check_estimator(const Mode& m, std::vector<std::string>& out) {
  if (m.semantics != Semantics::batch && m.estimator != Estimator::population)
    out.push_back(fmt::format("semantics {} with estimator {}; expected estimator population, or semantics batch",
                              name_of(m.semantics), name_of(m.estimator)));
  const bool ema = m.estimator == Estimator::ema || m.estimator == Estimator::ema_reset;
  if (m.momentum && !ema)
    out.push_back(
        fmt::format("estimator {} takes no momentum; expected estimator ema or ema-reset", name_of(m.estimator)));
  if (m.momentum && !(*m.momentum > 0 && *m.momentum <= 1))
    out.push_back(fmt::format("momentum = {}; expected a number in (0, 1]", *m.momentum));
  if (m.estimator == Estimator::dua && m.batch != 1)
    out.push_back(
        fmt::format("estimator dua with batch = {}; expected batch 1, as it updates image by image", m.batch));
}

void check_shares(const Mode& m, std::vector<std::string>& out) {
  if (m.policy != Policy::matched) {
    if (m.shares != Shares{})
      out.push_back(fmt::format("policy {} takes no shares of classes; expected policy matched", name_of(m.policy)));
    if (m.prior_correction)
      out.push_back(fmt::format("policy {} takes no prior_correction; expected policy matched", name_of(m.policy)));
    return;
  }
  if (m.semantics != Semantics::layerwise || m.estimator != Estimator::population)
    out.push_back(fmt::format(
        "policy matched with semantics {} and estimator {}; expected layerwise and population, as each layer is matched "
        "behind those before it",
        name_of(m.semantics), name_of(m.estimator)));
}

/// Policies that measure nothing: an option of measuring that would do nothing is refused, not ignored.
void check_unmeasured(const Mode& m, std::vector<std::string>& out) {
  const auto refuse = [&](std::string_view what) {
    out.push_back(fmt::format("policy {} measures nothing and takes no {}; expected a policy that does, such as adabn",
                              name_of(m.policy), what));
  };
  if (m.semantics != Mode{}.semantics) refuse(fmt::format("semantics ({})", name_of(m.semantics)));
  if (m.estimator != Mode{}.estimator) refuse(fmt::format("estimator ({})", name_of(m.estimator)));
  if (m.momentum) refuse("momentum");
}

/// Batches matter to semantics `batch` and policy `batch` alone, and to the source of a network in training mode, which
/// is not known here.
void check_batches(const Mode& m, std::vector<std::string>& out) {
  if (m.batch < 1) {
    out.push_back(fmt::format("batch = {}; expected 1 or more images", m.batch));
    return;
  }
  if (in_batches(m)) return;
  const std::string how = measures(m.policy) ? fmt::format("semantics {}", name_of(m.semantics))
                                             : fmt::format("policy {}", name_of(m.policy));
  if (m.batch != Mode{}.batch && m.policy != Policy::source && !(m.policy == Policy::instance && m.batch == 1))
    out.push_back(fmt::format("batch = {} with {}; expected no batch: its result depends on none", m.batch, how));
  if (m.shuffle)
    out.push_back(fmt::format("shuffle with {}; expected off: its result does not depend on the order", how));
}

}  // namespace

std::vector<std::string> problems(const Mode& mode) {
  std::vector<std::string> out;
  check_batches(mode, out);
  if (measures(mode.policy)) {
    check_estimator(mode, out);
  } else {
    check_unmeasured(mode, out);
  }
  check_weights(mode, out);
  check_shares(mode, out);
  const LayerRule& layers = mode.layers;
  for (const auto& [name, value] : {std::pair{"first", layers.first}, std::pair{"last", layers.last},
                                    std::pair{"min_level", layers.min_level}, std::pair{"max_level", layers.max_level}})
    if (value && *value < 1) out.push_back(fmt::format("layers.{} = {}; expected 1 or more", name, *value));
  return out;
}

void require_valid(const Mode& mode, std::string_view where) {
  const std::vector<std::string> wrong = problems(mode);
  if (wrong.empty()) return;
  const std::string named = where.empty() ? fmt::format("mode '{}'", mode.name) : std::string(where);
  throw ConfigError(fmt::format("{}: {}", named, fmt::join(wrong, "; ")));
}

Mode measuring_of(const Mode& mode) {
  Mode out = mode;
  if (mode.policy != Policy::matched) out.policy = Policy::adabn;
  out.source_weight.reset();
  out.prior_images.reset();
  out.prior_correction = false;
  return out;
}

bool uses_as_measured(const Mode& mode) {
  return (mode.policy == Policy::adabn || mode.policy == Policy::matched) && mode.semantics == Semantics::layerwise;
}

bool measured_alone(const Mode& mode) { return mode.policy != Policy::matched; }

bool measures(Policy policy) { return kPolicies[policy].measures; }
bool in_batches(const Mode& mode) {
  return mode.policy == Policy::batch || (measures(mode.policy) && mode.semantics == Semantics::batch);
}
bool needs_source(const Mode& mode) {
  if (mode.policy == Policy::batch || mode.policy == Policy::instance) return mode.source_weight || mode.prior_images;
  if (mode.policy == Policy::disabled || mode.policy == Policy::identity) return false;
  return mode.policy != Policy::adabn || mode.semantics == Semantics::source || mode.estimator == Estimator::ema ||
         mode.estimator == Estimator::dua;
}
bool exportable(Policy policy) { return kPolicies[policy].exportable; }
bool weighted(Policy policy) { return kPolicies[policy].weighted; }

std::string_view name_of(Semantics semantics) { return kSemantics.name_of(semantics); }
std::string_view name_of(Estimator estimator) { return kEstimators.name_of(estimator); }
std::string_view name_of(Policy policy) { return kPolicies.name_of(policy); }
std::string_view name_of(SharesFrom from) { return kSharesFrom.name_of(from); }

Semantics parse_semantics(std::string_view name) { return kSemantics.parse(name); }
Estimator parse_estimator(std::string_view name) { return kEstimators.parse(name); }
std::optional<Policy> find_policy(std::string_view name) {
  for (const FormerName& former : kFormerNames)
    if (former.name == name) return former.policy;
  const PolicyFacts* known = kPolicies.find(name);
  return known == nullptr ? std::nullopt : std::optional(known->value);
}
Policy parse_policy(std::string_view name) {
  const std::optional<Policy> found = find_policy(name);
  return found ? *found : kPolicies.parse(name);  // which lists the known names
}

std::span<const FormerName> former_policy_names() { return kFormerNames; }
std::string note_on_policy_name(std::string_view name) {
  for (const FormerName& former : kFormerNames)
    if (former.name == name)
      return fmt::format("policy {} is now called {}: {}", name, name_of(former.policy), former.reason);
  return {};
}

}  // namespace shiftnorm::adapt
