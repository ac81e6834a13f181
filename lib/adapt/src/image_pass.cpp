#include "image_pass.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

namespace shiftnorm::adapt {

namespace {

/// What is known of an image that is not done.
struct Waiting {
  std::vector<SeenLayer> layers;
  std::vector<float> outputs;
};

std::vector<double> values_of(const std::vector<stats::ExactSum>& sums) {
  std::vector<double> out;
  out.reserve(sums.size());
  for (const stats::ExactSum& sum : sums) out.push_back(static_cast<double>(sum.value()));
  return out;
}

SeenLayer seen_layer(const exec::LevelMoments& of) {
  return {of.set, values_of(of.moments.sums()), values_of(of.moments.squares()), of.moments.values()};
}

}  // namespace

void pass_images(BoundNetwork& network, const stats::Statistics& statistics, const std::vector<std::size_t>& chosen,
                 const Images& images, std::string_view stage, const std::function<void(const SeenImage&)>& seen,
                 const Progress& progress) {
  std::mutex mutex;
  std::map<std::size_t, Waiting> waiting;  // by image
  exec::SweepRequest r = network.request(network.whole, statistics, images, stage);
  r.layerwise = false;
  const std::vector<bool> measured = network.measured_by({});
  r.levels.assign(measured.begin(), measured.end());
  for (const std::size_t image : chosen) r.groups.push_back({image});
  r.outputs = 1;
  r.output = [&](std::size_t image, std::size_t, std::span<const float> row) {
    const std::lock_guard lock(mutex);
    waiting[image].outputs.assign(row.begin(), row.end());
  };
  r.finalize_level = [&](std::size_t group, std::int64_t, std::span<exec::LevelMoments> moments,
                         std::span<exec::Affine>) {
    std::vector<SeenLayer> layers;
    for (const exec::LevelMoments& of : moments) layers.push_back(seen_layer(of));
    const std::lock_guard lock(mutex);
    waiting[chosen[group]].layers = std::move(layers);  // one level holds them all
  };
  r.group_done = [&](std::size_t group) {
    Waiting own;
    {
      const std::lock_guard lock(mutex);
      own = std::move(waiting.extract(chosen[group]).mapped());
    }
    std::ranges::sort(own.layers, {}, &SeenLayer::layer);
    seen({chosen[group], own.layers, own.outputs});
  };
  network.whole.sweeper.run(r, progress);
}

}  // namespace shiftnorm::adapt
