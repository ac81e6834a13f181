#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/graph/bind.hpp"
#include "shiftnorm/graph/shapes.hpp"
#include "shiftnorm/imaging/sample_store.hpp"
#include "shiftnorm/zoo/zoo.hpp"
#include "support/near.hpp"

namespace shiftnorm::test {

/// The published CIFAR-10 ResNet-20.
inline graph::Graph restored(const std::filesystem::path& file) {
  const formats::Checkpoint checkpoint = formats::read_checkpoint(file);
  graph::Graph g = zoo::architecture("cifar_resnet20").build({});
  std::vector<graph::NamedSource> tensors;
  for (const auto& t : checkpoint.tensors) tensors.push_back({t.name, t.values.shape(), &t.values});
  graph::bind(g, tensors);
  graph::infer_shapes(g);
  return g;
}

inline imaging::SampleStore images_in(const std::filesystem::path& folder,
                                      const imaging::DatasetOptions& options = {}) {
  return {imaging::open_dataset(folder.string(), options),
          imaging::preset("cifar10"),
          Shape{3, 32, 32},
          {.threads = 2},
          {}};
}

inline adapt::Images images_of(const imaging::SampleStore& store) {
  return {store.size(), [&store](std::size_t i, std::span<float> dst) { store.load(i, dst); }};
}

/// docs/reference/test-data.md#golden-values: 1e-4 of the spread, with second terms for near-zero means and dead channels,
/// as PyTorch sums in float32.
inline void check_statistics(const stats::LayerStatistics& layer, const std::vector<double>& mean,
                             const std::vector<double>& variance) {
  const double largest = *std::ranges::max_element(variance);
  const auto of_mean = [&](std::size_t c) { return 1e-4 * (std::sqrt(variance[c]) + 1e-3 * std::sqrt(largest)); };
  const auto of_variance = [&](std::size_t c) { return 1e-4 * (variance[c] + 1e-3 * largest); };
  CAPTURE(layer.name);
  CHECK_THAT(layer.mean, EachNear(mean, of_mean));
  CHECK_THAT(layer.variance, EachNear(variance, of_variance));
}

}  // namespace shiftnorm::test
