#include "shiftnorm/toolkit/mode_facts.hpp"

namespace shiftnorm::toolkit {

results::ModeFacts facts_of(const adapt::Mode& mode) {
  results::ModeFacts facts;
  facts.name = mode.name;
  facts.policy = adapt::name_of(mode.policy);
  facts.exportable = adapt::exportable(mode.policy);
  if (adapt::measures(mode.policy)) {
    facts.semantics = adapt::name_of(mode.semantics);
    facts.estimator = adapt::name_of(mode.estimator);
  }
  if (mode.semantics == adapt::Semantics::batch || mode.policy == adapt::Policy::batch) {
    facts.batch = mode.batch;
    facts.shuffle = mode.shuffle;
  }
  facts.momentum = mode.momentum;
  facts.source_weight = mode.source_weight;
  facts.prior_images = mode.prior_images;
  facts.layers = {mode.layers.include, mode.layers.exclude,   mode.layers.first,
                  mode.layers.last,    mode.layers.min_level, mode.layers.max_level};
  return facts;
}

}  // namespace shiftnorm::toolkit
