#include "shiftnorm/toolkit/mode_facts.hpp"

#include "method_json.hpp"
#include "shiftnorm/adapt/mixture.hpp"
#include "shiftnorm/adapt/mode_fields.hpp"

namespace shiftnorm::toolkit {
namespace {

using container::Json;

/// A value in JSON; null: absent.
struct ValueJson {
  Json operator()(std::monostate) const { return {}; }
  Json operator()(const std::vector<std::string>& texts) const { return container::texts_json(texts); }
  Json operator()(const adapt::ShareList& shares) const {
    Json out = Json::object();
    for (const auto& [name, share] : shares) out.set(name, share);
    return out;
  }
  template <class T>
  Json operator()(const T& one) const {
    return one;
  }
};

/// What `matched` was carried out with.
Json mixture_json(const adapt::Mixture& mixture) {
  Json shares = Json::array();
  for (const double share : mixture.shares) shares.push(share);
  return Json::object({{"reference_sha256", mixture.reference}, {"shares", std::move(shares)}});
}

}  // namespace

// The bindings take every field: a mode with one more does not compile until its place is found here.
results::ModeFacts facts_of(const adapt::Mode& mode) {
  const auto& [name, policy, semantics, estimator, batch, momentum, shuffle, source_weight, prior_images, shares,
               prior_correction, layers, mixture] = mode;
  const auto& [include, exclude, first, last, min_level, max_level] = layers;
  results::ModeFacts facts;
  facts.name = name;
  facts.policy = adapt::name_of(policy);
  facts.exportable = adapt::exportable(policy);
  if (adapt::measures(policy)) {
    facts.semantics = adapt::name_of(semantics);
    facts.estimator = adapt::name_of(estimator);
  }
  if (adapt::in_batches(mode)) {
    facts.batch = batch;
    facts.shuffle = shuffle;
  }
  facts.momentum = momentum;
  facts.source_weight = source_weight;
  facts.prior_images = prior_images;
  if (policy == adapt::Policy::matched) facts.shares = adapt::name_of(shares.from);
  facts.given_shares = shares.given;
  facts.prior_correction = prior_correction;
  facts.layers = {include, exclude, first, last, min_level, max_level};
  return facts;
}

Json method_json(const adapt::Mode& mode) {
  Json method = Json::object(), layers = Json::object();
  for (const adapt::ModeField& field : adapt::mode_fields()) {
    Json value = field.matters(mode) ? std::visit(ValueJson{}, field.value(mode)) : Json();
    if (field.name.starts_with(adapt::kLayerFields))
      layers.set(std::string(field.name.substr(adapt::kLayerFields.size())), std::move(value));
    else if (field.name == "policy" || (field.name != "name" && adapt::measures(mode.policy)))
      method.set(std::string(field.name), std::move(value));
  }
  if (mode.mixture) method.set("mixture", mixture_json(*mode.mixture));
  method.set("layers", mode.layers == adapt::LayerRule{} ? Json() : std::move(layers));
  return method;
}

}  // namespace shiftnorm::toolkit
