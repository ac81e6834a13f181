#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/graph/bind.hpp"
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
  /// The input of one image without N: [C, H, W]. Extents that a file leaves open are 0.
  [[nodiscard]] Shape input() const;
};

/// Reads a checkpoint and binds it to its graph, or to the named architecture; classes and input channels are the
/// file's. Errors  ConfigError for a weights-only file without an architecture (names those that fit); FormatError for
/// a bad file,
///         one that does not fit the architecture, or one without BatchNorm: nothing to recalibrate.
[[nodiscard]] RestoredModel restore(const std::filesystem::path& path, const std::string& architecture);

/// Builds the same network for other images, [C, H, W]; the graph is left alone when it is for these, or when it is the
/// file's own and fixed. Errors  ShapeError, UnsupportedError for images that the network cannot take.
void resize_input(RestoredModel& model, const Shape& image);

/// Floating-point numbers of the file without running statistics: what PyTorch counts as parameters.
[[nodiscard]] std::int64_t count_parameters(const formats::Checkpoint& checkpoint);

}  // namespace shiftnorm::experiment
