#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "shiftnorm/core/array.hpp"
#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::formats {

/// Where a tensor's values lie in the user's file, so that writing back touches those bytes and nothing else.
/// Element i of the row-major tensor with index (i0, i1, ...) lies at offset + (i0*strides[0] + ...) * size_of(dtype).
struct Origin {
  std::uint64_t offset = 0;           ///< of element 0, from the file's start
  DType dtype = DType::f32;           ///< as stored
  std::vector<std::int64_t> strides;  ///< in elements
};

/// One named tensor of a checkpoint. The name is the file's own, with all its prefixes.
struct NamedTensor {
  std::string name;
  Array values;                  ///< dense, in the file's dtype
  std::optional<Origin> origin;  ///< absent: cannot be written back (compressed, derived), unless in chunks
  std::string same_as = {};      ///< an earlier tensor that is the same numbers of the file under another name
  /// HDF5: the header of the dataset where it is stored in chunks, which are written back as a whole.
  std::optional<std::uint64_t> in_chunks = std::nullopt;
};

/// The sets of weights that a file holds, by their paths in it: "state_dict_ema", "models.0", "" for the file itself.
struct WeightSets {
  std::string chosen = {};
  std::vector<std::string> others = {};
  bool told = true;  ///< false: nothing in the file says which of several is meant
};

/// A tensor of the chosen set whose kind is not read.
struct Unread {
  std::string name, why;
};

/// What a file holds beside tensors and plain values: carried over and never built.
struct OpaqueValues {
  std::string name;        ///< what they are made of: "easydict.EasyDict"
  std::string first;       ///< path of one of them
  std::int64_t count = 0;  ///< of them
};

/// A file to be written, or one that belongs to a checkpoint and lies in its folder.
struct OutputFile {
  std::string name;  ///< without folders
  std::vector<std::byte> bytes;
};

/// A network that takes inputs of several sizes; graph::resolve() makes it one for a size.
struct DynamicShapeGraph {
  graph::Graph graph;               ///< its input has no shape
  std::vector<std::int64_t> input;  ///< of one image, N = 1; 0: any extent
  std::int64_t batch = 1;           ///< the number of images that constants in the graph count
  std::string layout = {};          ///< the axes of the file's own input where it has channels last: "NHWC"

  /// The input with its free extents, all of them beyond the channels, replaced by `spatial` in turn; nothing if that
  /// does not fit what is fixed.
  [[nodiscard]] std::optional<Shape> sized(std::span<const std::int64_t> spatial) const;
};

/// The network for inputs of one size. Errors  UnsupportedError if it mixes images; as graph::resolve.
[[nodiscard]] graph::Graph resolve(const DynamicShapeGraph& network, const Shape& input);
/// The network at its own size or, where that is free, at the first common one that it works at.
/// Errors  those of the last size tried.
[[nodiscard]] graph::Graph resolve(const DynamicShapeGraph& network);

/// What a reader is given besides the file.
struct ReadOptions {
  /// Which of several sets of weights, by the name that the file has it under (`state_dict_ema`); empty: the usual one.
  std::string weights = {};
};

/// What a file says of one BatchNorm beside its vectors.
struct NormSettings {
  std::string layer;                        ///< its vectors are `<layer>.running_var` ..; empty: they have no prefix
  std::optional<double> epsilon, momentum;  ///< PyTorch's p; absent: not stated
};

/// A module of a pickled network, or one that a state_dict names: PyTorch keeps the version of each.
struct ModuleName {
  std::string path;  ///< "fc.1"; empty: the network
  std::string type;  ///< "torch.nn.modules.activation.Sigmoid"; empty: not stated
};

/// Layers of torch.nn that follow each other in a pickled module whose other classes need not define a graph: what no
/// weights reveal of a head, its activations, they do.
struct ModuleChain {
  std::string path;     ///< of the nn.Sequential that they are: "fc"; or of the module that they follow in one: "0"
  bool behind = false;  ///< the latter: they have no parameters
  std::vector<ModuleName> layers;  ///< path behind that of the Sequential, and class without its package: "Sigmoid"
  /// Puts them behind x, [N, features]; their parameters are unbound, and named as the file does with `path` for its
  /// own. Returns their output.
  std::function<graph::ValueId(graph::Graph& graph, graph::ValueId x, const std::string& path)> add;
};

/// A node that the file's runtime runs in training mode.
struct TrainingNode {
  std::string name, op;  ///< BatchNormalization: by each batch's own statistics; Dropout: drops at random
};

/// A restored file: its tensors, the graph if it holds one, and its bytes for writing back.
struct Checkpoint {
  std::string format;                ///< "pytorch-legacy", "pytorch-zip", "safetensors", ...
  std::string file_name;             ///< without folders: for messages
  std::string sha256;                ///< of the file
  std::vector<NamedTensor> tensors;  ///< in the file's order, shared storages named once per name
  /// Only for formats that hold an architecture. All its parameters are bound; those that can be written back are named
  /// as their tensor, and so are the vectors of every BatchNorm that has them.
  std::optional<graph::Graph> graph;
  std::optional<DynamicShapeGraph> dynamic_shape;  ///< the same network, where its input may have other sizes
  /// Where the file leaves extents of its input open: this builds the same network for any input of one image, with no
  /// parameters bound yet. `graph` is for a common size, or for a file that says nothing at all about its input has
  /// extents of 0 and cannot run. Empty where the input has one size.
  std::function<graph::Graph(const Shape& input)> build;
  /// The axes of the network's own input where it takes channels last: "NHWC", "NTC", "NDHWC". The graph's has them
  /// second.
  std::string layout;
  /// The graph's input as far as the file fixes it, N = 1; 0: any extent. Empty: it says nothing.
  std::vector<std::int64_t> open_input;
  std::vector<TrainingNode> in_training;
  /// Why there is no graph in a file that holds more than weights: "a pickled module of class 'net.Net'".
  std::string no_graph;
  WeightSets sets;
  std::vector<Unread> unread;
  std::vector<OpaqueValues> opaque;
  /// What the reader chose where the file leaves a choice, one line each, for people.
  std::vector<std::string> assumptions;
  /// Of ReadOptions::weights: what named no set of the file's own, and so is a prefix of the tensors' names.
  std::string weights;
  std::vector<ModuleName> modules;     ///< of PyTorch's files, in their order
  std::vector<ModuleChain> chains;     ///< of pickled modules that have no graph
  std::vector<NormSettings> norms;     ///< of pickled modules, whose classes need not define a graph
  std::vector<std::byte> bytes;        ///< the file as it was
  std::vector<OutputFile> companions;  ///< files beside it that hold values: external data, shards

  [[nodiscard]] const NamedTensor* find(std::string_view name) const;
};

/// A network without its weights, from a file that describes one.
struct Architecture {
  std::string format, file_name;    ///< as those of Checkpoint
  DynamicShapeGraph network;        ///< float parameters are unbound, named as the weights files of its framework do
  std::vector<NamedTensor> values;  ///< what the file itself holds for them, if it holds any
};

/// Errors  UnsupportedError for a file that describes no network; as read_checkpoint.
[[nodiscard]] Architecture read_architecture(const std::filesystem::path& path);

/// Recognises the format by content, never by extension, and restores it. Nothing in the file is executed.
/// Errors  FormatError, UnsupportedError, MachineError; texts start with the file's name.
[[nodiscard]] Checkpoint read_checkpoint(const std::filesystem::path& path);
[[nodiscard]] Checkpoint read_checkpoint(const std::filesystem::path& path, const ReadOptions& options);
/// The same for a file that holds weights only, with a file that describes their network: what Keras' model.to_json()
/// gives for Keras' weights. Errors  also UnsupportedError where the two do not go together.
[[nodiscard]] Checkpoint read_checkpoint(const std::filesystem::path& path, const std::filesystem::path& architecture);
/// Whether a file is such a description; its place in the weights follows from the order, so that no names could be
/// bound.
[[nodiscard]] bool is_keras_architecture(const std::filesystem::path& path);
[[nodiscard]] Checkpoint parse_checkpoint(std::vector<std::byte> bytes, std::string file_name,
                                          const ReadOptions& options = {});

/// What checkpoint.build gives for an input of one image, with all its parameters bound.
/// Errors  UnsupportedError, ShapeError for an input that the network cannot take.
[[nodiscard]] graph::Graph graph_for(const Checkpoint& checkpoint, const Shape& input);

/// New values of one tensor by its name in the file; as many as the tensor has, rounded to the stored dtype.
struct Patch {
  std::string name;
  std::vector<double> values;
};

/// Everything that an adapted checkpoint of this name consists of: first the file itself, then what lies beside it.
/// Errors  as patched(); UnsupportedError for a format whose files cannot be changed.
[[nodiscard]] std::vector<OutputFile> write_checkpoint(const Checkpoint& checkpoint, std::span<const Patch> patches,
                                                       const std::string& file_name);

/// A file of ONNX whose nodes in training mode (Checkpoint::in_training) are in inference mode: BatchNormalizations
/// lose the attribute training_mode and all outputs but the first, Dropouts the input that asks for dropping. Nothing
/// else differs. Errors  as read_checkpoint().
[[nodiscard]] std::vector<std::byte> in_inference_mode(std::span<const std::byte> onnx_file);

/// The file's bytes with the patches applied and checksums mended; nothing else differs.
/// Errors  UnsupportedError if a tensor has no origin, for values that do not fit its type, and for two names of the
///         same place that are given different ones; ShapeError for a wrong count.
[[nodiscard]] std::vector<std::byte> patched(const Checkpoint& checkpoint, std::span<const Patch> patches);

}  // namespace shiftnorm::formats
