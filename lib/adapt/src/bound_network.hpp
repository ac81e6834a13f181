#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "network.hpp"
#include "shiftnorm/adapt/engine.hpp"

namespace shiftnorm::adapt {

/// A bound graph with its plans, and what the engine asks of its BatchNorms: which of them a mode measures, in which
/// order, and what their statistics come to as scale and shift.
struct BoundNetwork {
  graph::Graph graph;
  Network whole;                     ///< several applications of a BatchNorm are one set
  std::unique_ptr<Network> per_use;  ///< each is a set of its own; null if there are none
  stats::Statistics source;
  bool source_known;
  bool all_outputs;
  std::vector<std::vector<double>> gamma, beta;
  std::vector<bool> reachable;

  BoundNetwork(const graph::Graph& g, const EngineOptions& o);

  [[nodiscard]] const std::vector<graph::BatchNorm>& layers() const { return whole.plan->sets(); }
  /// In batches every application of a BatchNorm is normalised by what it sees itself, as in PyTorch's training mode.
  [[nodiscard]] Network& in_groups() { return per_use ? *per_use : whole; }

  /// gamma (x - mean) / sqrt(variance + epsilon) + beta as scale and shift.
  [[nodiscard]] exec::Affine affine(std::size_t layer, const std::vector<double>& mean,
                                    const std::vector<double>& variance, bool plain) const;
  [[nodiscard]] exec::SweepRequest request(const Network& network, const stats::Statistics& statistics,
                                           const Images& images, std::string_view stage) const;
  /// Makes room for `count` images and has the sweep fill it.
  void collect(Outputs& outputs, std::size_t count, exec::SweepRequest& r) const;

  /// Engine::fixed().
  [[nodiscard]] bool fixed(const Mode& mode) const;
  /// Images that are normalised together under a mode that is not; a file's own number of them counts for its source.
  [[nodiscard]] std::size_t group_size(const Mode& mode) const;
  /// Layers that such a mode normalises by the group.
  [[nodiscard]] std::vector<bool> by_group(const Mode& mode) const;

  /// Which layers a rule chooses and the outputs depend on.
  [[nodiscard]] std::vector<bool> measured_by(const LayerRule& rule) const;
  /// Errors  UnsupportedError for a layer whose uses depend on each other.
  [[nodiscard]] std::vector<std::int64_t> levels(const Network& network, const std::vector<bool>& measured) const;

  /// Errors  ConfigError for a mode that needs source statistics where the file has none.
  void require_source(const Mode& mode) const;
  /// Errors  Error for `matched` without a mixture, or with one of another network.
  void require_mixture(const Mode& mode) const;

 private:
  [[nodiscard]] bool source_by_batch() const;
};

/// One value per channel has no variance: PyTorch refuses it in training mode, and 0 would blow up every other image.
void require_variance(const graph::BatchNorm& layer, const stats::ChannelMoments& moments);

}  // namespace shiftnorm::adapt
