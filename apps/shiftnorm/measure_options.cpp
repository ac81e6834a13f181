#include "measure_options.hpp"

#include <fmt/format.h>

#include <limits>

#include "shiftnorm/adapt/parse_layers.hpp"

namespace shiftnorm::app {
namespace {

constexpr OptionSpec kMeasure[] = {
    {"semantics", "S",
     "layerwise, batch or source: how the network is normalised while it is measured (default: layerwise)"},
    {"estimator", "E",
     "population, batch-mean, ema, ema-reset or dua; all but the first with semantics batch (default: population)"},
    {"batch", "N", "images per batch, where batches matter (default: 64)"},
    {"momentum", "P", "PyTorch's p, for estimators that use it (default: the layer's own)"},
    {"shuffle", "SEED|on|off", "order of the batches; on: by the seed (default: on)"},
    {"seed", "S", "seed of everything random (default: 0)"},
    {"prior-images", "N", "blend: the source counts as N images"},
    {"source-weight", "L", "blend: the source's weight, in [0, 1]"},
    {"shares", "S", "matched: the target's mixture of classes: class=share,class=share, labels, or estimate (default)"},
    {"domain", "KEY", "separate statistics for each value of this column; each image uses its own"},
    {"domain-min-images", "N", "with fewer, a domain falls back to blend (default: 32)"},
    {"domain-prior-images", "N", "of that blend: the source counts as N images (default: 16)"},
    {"show-domains", "", "print the names of domains that identify a site"},
    {"layers", "RULE", "e.g. 'layer1.*,!*.bn2,last=4,min_level=2': the layers to include"},
};

}  // namespace

std::span<const OptionSpec> measure_options() { return kMeasure; }

std::uint64_t seed_of(const Options& options) { return static_cast<std::uint64_t>(options.integer("seed", 0, 0)); }

adapt::Mode mode_of(const Options& options, std::string_view policy_option, std::string_view absent) {
  adapt::Mode mode;
  mode.policy =
      from_option(policy_option, [&] { return adapt::parse_policy(options.text(policy_option, std::string(absent))); });
  mode.name = adapt::name_of(mode.policy);
  mode.semantics = options.named("semantics", adapt::kSemantics, mode.semantics);
  mode.estimator = options.named("estimator", adapt::kEstimators, mode.estimator);
  mode.batch = options.integer("batch", mode.batch, 1, std::int64_t{1} << 30);
  mode.momentum = options.number("momentum", 0, 1);
  mode.prior_images = options.number("prior-images", 0, std::numeric_limits<double>::max());
  mode.source_weight = options.number("source-weight", 0, 1);
  if (options.has("shares"))
    mode.shares = from_option("shares", [&] { return adapt::parse_shares(options.text("shares")); });
  if (options.has("layers"))
    mode.layers = from_option("layers", [&] { return adapt::parse_layers(options.text("layers")); });
  if (!options.has("shuffle")) {
    config::settle_shuffle(mode, seed_of(options));
  } else if (options.text("shuffle") == "on") {
    mode.shuffle = seed_of(options);
  } else if (options.text("shuffle") != "off") {
    mode.shuffle = static_cast<std::uint64_t>(options.integer("shuffle", 0, 0));
  }
  adapt::require_valid(mode, fmt::format("--{}", policy_option));
  return mode;
}

std::optional<config::DomainConfig> domain_of(const Options& options) {
  if (!options.has("domain")) {
    for (const std::string_view part : {"domain-min-images", "domain-prior-images", "show-domains"})
      if (options.has(part)) throw ConfigError(fmt::format("--{}: expected --domain KEY with it", part));
    return std::nullopt;
  }
  config::DomainConfig domain;
  domain.key = options.text("domain");
  domain.min_images = options.integer("domain-min-images", domain.min_images, 1);
  domain.prior_images =
      options.number("domain-prior-images", 0, std::numeric_limits<double>::max()).value_or(domain.prior_images);
  domain.shown = options.has("show-domains");
  return domain;
}

void tell_of_policy_name(const Options& options, std::string_view policy_option, Console& console) {
  if (const std::string note = adapt::note_on_policy_name(options.text(policy_option)); !note.empty())
    console.warn(note);
}

}  // namespace shiftnorm::app
