#include "evaluating.hpp"

namespace shiftnorm::adapt {

void infer(BoundNetwork& network, const stats::Statistics& statistics, const std::vector<std::size_t>& chosen,
           const Images& images, Outputs& outputs, const Progress& progress) {
  exec::SweepRequest r = network.request(network.whole, statistics, images, "evaluate");
  r.groups = {chosen};
  network.collect(outputs, images.count, r);
  network.whole.sweeper.run(r, progress);
}

void evaluate_groups(BoundNetwork& bound, const Mode& mode, const Groups& domains, const Images& images,
                     Outputs& outputs, const Progress& progress) {
  Network& network = bound.in_groups();
  exec::SweepRequest r = bound.request(network, bound.source, images, "evaluate");
  r.levels = bound.levels(network, bound.by_group(mode));
  // A source has no shuffle: a runtime takes the images as they come.
  r.groups = domain_batches(domains, bound.group_size(mode), mode.shuffle).groups;
  bound.collect(outputs, images.count, r);
  Mode blend = mode;
  blend.policy = mode.source_weight || mode.prior_images ? Policy::blend : Policy::adabn;
  blend.layers = {};
  r.finalize_level = [&](std::size_t group, std::int64_t, std::span<const exec::LevelMoments> moments,
                         std::span<exec::Affine> affines) {
    for (const exec::LevelMoments& m : moments) {
      const std::size_t layer = network.owner[m.set];
      require_variance(bound.layers()[layer], m.moments);
      const stats::Statistics own{
          {bound.source[layer].name, m.moments.mean(), m.moments.variance(stats::Divisor::population)}};
      const stats::Statistics used = apply_policy(blend, {bound.layers()[layer]}, {bound.source[layer]}, own,
                                                  static_cast<std::int64_t>(r.groups[group].size()));
      affines[m.set] = bound.affine(layer, used[0].mean, used[0].variance, false);
    }
  };
  network.sweeper.run(r, progress);
}

}  // namespace shiftnorm::adapt
