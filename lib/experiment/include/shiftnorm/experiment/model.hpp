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
  /// False: the file holds no running statistics (PyTorch's track_running_stats=False); the graph's are NaN.
  bool source_statistics = true;
  std::int64_t parameters = 0;  ///< floating-point numbers of the file without running statistics

  /// Name in the file of a parameter; empty if the file does not hold it.
  [[nodiscard]] std::string name_in_file(graph::ValueId id) const;
  /// The input of one sample without N, of any rank; an extent of 0 is the data's to say.
  [[nodiscard]] Shape input() const;
};

/// Reads a checkpoint and binds it to its graph, or to the named architecture; classes and input channels are the
/// file's. Errors  ConfigError for a weights-only file without an architecture (names those that fit); FormatError for
/// a bad file,
///         one that does not fit the architecture, or one without BatchNorm: nothing to recalibrate.
[[nodiscard]] RestoredModel restore(const std::filesystem::path& path, const std::string& architecture);

/// Makes the network ready for samples of this shape, without N: an architecture is built again for another size, the
/// file's own graph takes it where its input leaves it open (extents of 0). Shapes are inferred.
/// Errors  ShapeError or UnsupportedError naming the node that cannot take it.
void fit_input(RestoredModel& model, const Shape& sample);

/// Floating-point numbers of the file without running statistics: what PyTorch counts as parameters.
[[nodiscard]] std::int64_t count_parameters(const formats::Checkpoint& checkpoint);

}  // namespace shiftnorm::experiment
