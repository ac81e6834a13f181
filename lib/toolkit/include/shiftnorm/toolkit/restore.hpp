#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/graph/bind.hpp"
#include "shiftnorm/graph/fold.hpp"
#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::toolkit {

/// Where a file that holds weights only takes its network from, and which of its weights.
struct NetworkSource {
  std::string architecture = {};  ///< a name of zoo
  std::filesystem::path graph =
      {};  ///< a file that describes it: an ONNX model, whose initialisers name the weights, or Keras' to_json()
  /// Of several sets of weights: the name that the file has it under, or what the names of its tensors begin with.
  std::string weights = {};
  std::vector<std::string> allow_unused = {};  ///< patterns with * and ? of tensors that no layer has to use
};

/// What begins the architecture of a network that a file of its own describes.
inline constexpr std::string_view kDescribed = "graph ";

/// A network with its weights, and the way back from a graph's parameter to the file's tensor.
struct RestoredModel {
  formats::Checkpoint checkpoint;
  std::string architecture;  ///< of zoo, or "graph <digits>" where another file describes the network; empty: the file
                             ///< itself does
  graph::Graph graph;        ///< bound
  graph::Binding binding;
  /// False: the file holds no running statistics (PyTorch's track_running_stats=False); the graph's are NaN.
  bool source_statistics = true;
  bool features = false;  ///< of zoo without the head that the file lacks: outputs are features, not scores
  NetworkSource source;   ///< what it was restored by
  std::optional<formats::DynamicShapeGraph>
      dynamic_shape;                             ///< the network for other sizes of input, bound; not for those of zoo
  std::map<std::string, std::size_t> tensor_of;  ///< by name of the parameter: index of the file's tensor
  std::int64_t parameters = 0;                   ///< floating-point numbers of the file without running statistics
  /// What was taken for granted where neither file nor user said, one line each: every command warns of them.
  std::vector<std::string> assumptions;
  std::string left_to_architecture;  ///< what no file of weights states, in one line; empty: the file describes itself

  /// Name in the file of a parameter; empty if the file does not hold it.
  [[nodiscard]] std::string name_in_file(graph::ValueId id) const;
  /// The assumptions and what is left to the architecture: results and provenance keep them.
  [[nodiscard]] std::vector<std::string> assumed() const;
  /// The input of one sample without N, of any rank; an extent of 0 is the data's to say.
  [[nodiscard]] Shape input() const;
  /// What the file itself fixes of one sample, without N; 0: any extent. Empty: it says nothing.
  [[nodiscard]] std::vector<std::int64_t> fixed_sample() const;
  /// Whether `architecture` is a name of zoo.
  [[nodiscard]] bool of_zoo() const { return !architecture.empty() && !dynamic_shape && !checkpoint.graph; }
};

/// Reads a checkpoint and binds it to its graph, or to the given one; classes and input channels of zoo's are the
/// file's. Errors  ConfigError for a weights-only file without an architecture (names those that fit); FormatError for
/// a bad file,
///         one that does not fit the architecture, or one without BatchNorm, folded or not: nothing to
///         recalibrate.
[[nodiscard]] RestoredModel restore(const std::filesystem::path& path, const NetworkSource& source);
/// The same with an architecture of zoo; empty: the file holds its network.
[[nodiscard]] inline RestoredModel restore(const std::filesystem::path& path, const std::string& architecture) {
  return restore(path, NetworkSource{architecture, {}});
}

/// Convolutions with a BatchNorm folded into them. A bias says so in ONNX files, where exporters fold; in networks of
/// other formats only where there is no BatchNorm at all.
[[nodiscard]] std::vector<graph::FoldedLayer> folded_layers(const RestoredModel& model);

/// Makes the network ready for samples of this shape, without N: an architecture is built again for another size, the
/// file's own graph takes it where its input leaves it open. Shapes are inferred.
/// Errors  ConfigError if the file fixes another size; ShapeError or UnsupportedError naming the node that cannot take
/// it.
void fit_input(RestoredModel& model, const Shape& sample);

/// Floating-point numbers of the file without running statistics: what PyTorch counts as parameters. ONNX: those that
/// the network's nodes use, wherever they are.
[[nodiscard]] std::int64_t count_parameters(const formats::Checkpoint& checkpoint);

}  // namespace shiftnorm::toolkit
