#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/graph/bind.hpp"
#include "shiftnorm/graph/fold.hpp"
#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::experiment {

/// A network with its weights, and the way back from a graph's parameter to the file's tensor.
struct RestoredModel {
  formats::Checkpoint checkpoint;
  std::string architecture;  ///< of zoo; empty when the file held its graph
  graph::Graph graph;        ///< bound
  graph::Binding binding;
  std::int64_t parameters = 0;  ///< floating-point numbers of the file without running statistics

  /// Name in the file of a parameter; empty if the file does not hold it.
  [[nodiscard]] std::string name_in_file(graph::ValueId id) const;
  /// The input of one image without N: [C, H, W].
  [[nodiscard]] Shape input() const;
};

/// Reads a checkpoint and binds it to its graph, or to the named architecture; classes and input channels are the
/// file's. Errors  ConfigError for a weights-only file without an architecture (names those that fit); FormatError for
/// a bad file,
///         one that does not fit the architecture, or one without BatchNorm, folded or not: nothing to
///         recalibrate.
[[nodiscard]] RestoredModel restore(const std::filesystem::path& path, const std::string& architecture);

/// Convolutions with a BatchNorm folded into them. A bias says so in ONNX files, where exporters fold; in networks of
/// other formats only where there is no BatchNorm at all.
[[nodiscard]] std::vector<graph::FoldedLayer> folded_layers(const RestoredModel& model);

/// Builds the same network for another input size; the graph is left alone when it has that size or is the file's own.
void resize_input(RestoredModel& model, std::int64_t height, std::int64_t width);

/// Floating-point numbers of the file without running statistics: what PyTorch counts as parameters.
[[nodiscard]] std::int64_t count_parameters(const formats::Checkpoint& checkpoint);

}  // namespace shiftnorm::experiment
