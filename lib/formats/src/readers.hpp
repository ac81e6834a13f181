#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/container/zip.hpp"
#include "shiftnorm/formats/checkpoint.hpp"

namespace shiftnorm::formats {

/// What a reader finds in a file.
struct Contents {
  std::vector<NamedTensor> tensors;
  std::optional<graph::Graph> graph = std::nullopt;                 ///< absent where there is `build`: made of it
  std::function<graph::Graph(const Shape& input)> build = nullptr;  ///< as in Checkpoint, with the input it is for
  Shape input = Shape{0};
  std::string no_graph = {};
  std::vector<OutputFile> companions = {};
  std::optional<DynamicShapeGraph> dynamic_shape = std::nullopt;
  std::vector<NormSettings> norms = {};
  std::vector<ModuleName> modules = {};
  std::vector<ModuleChain> chains = {};
  WeightSets sets = {};
  std::string weights = {};  ///< as in Checkpoint
  std::vector<Unread> unread = {};
  std::vector<OpaqueValues> opaque = {};
  std::string layout = {};
  std::vector<std::int64_t> open_input = {};
  std::vector<TrainingNode> in_training = {};
};

/// What a reader is given besides the bytes: the file's folder, for formats that keep values in files
/// beside it, and the set of weights that is wanted, for those that may hold several.
struct Neighbours {
  std::optional<std::filesystem::path> folder = std::nullopt;  ///< absent: the bytes came without one
  std::string weights = {};                                    ///< as in ReadOptions

  /// The content of a file of that folder. `name` is not trusted: it names a file, with no way out of the folder.
  /// Errors  FormatError, UnsupportedError
  [[nodiscard]] std::vector<std::byte> read(std::string_view name) const;
};

/// Calls `use` with the network's own size or, where that is open, with common ones until one works.
/// Errors  those of the last size tried.
void with_common_sizes(const DynamicShapeGraph& network, const std::function<void(const Shape& input)>& use);

/// What a description of a network gives.
struct Description {
  DynamicShapeGraph network;
  std::vector<NamedTensor> values = {};
};

/// One reader per format. Errors  FormatError, UnsupportedError, without the file's name.
[[nodiscard]] Contents read_pytorch_legacy(std::span<const std::byte> file, const Neighbours& neighbours);
[[nodiscard]] Contents read_pytorch_tar(std::span<const std::byte> file, const Neighbours& neighbours);
/// torch.save's; other archives are named and refused.
[[nodiscard]] Contents read_zip(std::span<const std::byte> file, const Neighbours& neighbours);
[[nodiscard]] Contents read_safetensors_checkpoint(std::span<const std::byte> file, const Neighbours& neighbours);
[[nodiscard]] Contents read_onnx(std::span<const std::byte> file, const Neighbours& neighbours);
[[nodiscard]] Description describe_onnx(std::span<const std::byte> file, const Neighbours& neighbours);
/// For files that hold no network.
[[nodiscard]] Description describes_nothing(std::span<const std::byte> file, const Neighbours& neighbours);

/// Keras: whole models of Keras 1 and 2 as HDF5, archives of Keras 3 (.keras), and weights alone, which have no
/// graph until `architecture` (what model.to_json() gives) defines it.
[[nodiscard]] Contents read_keras_h5(std::span<const std::byte> file, const Neighbours& neighbours);
[[nodiscard]] Contents read_keras_archive(std::span<const std::byte> file, const Neighbours& neighbours);
[[nodiscard]] Contents read_keras_weights(std::span<const std::byte> file, const container::Json& architecture);
[[nodiscard]] bool is_keras_archive(std::span<const std::byte> file);

/// As write_in_place. Errors  FormatError also for what is not a finite number, and for a negative variance.
[[nodiscard]] std::vector<OutputFile> write_keras(const Checkpoint& checkpoint, std::span<const Patch> patches,
                                                  const std::string& file_name);

/// An index of shards, each of which is a checkpoint beside it. Writing gives the shards names that derive from the
/// index's new one, so that none of those read is overwritten.
[[nodiscard]] bool is_sharded_index(std::span<const std::byte> file);
[[nodiscard]] Contents read_sharded(std::span<const std::byte> file, const Neighbours& neighbours);
[[nodiscard]] std::vector<OutputFile> write_sharded(const Checkpoint& checkpoint, std::span<const Patch> patches,
                                                    const std::string& file_name);

/// The checkpoint's bytes with the patches put in their places and a zip's checksums mended.
[[nodiscard]] std::vector<OutputFile> write_in_place(const Checkpoint& checkpoint, std::span<const Patch> patches,
                                                     const std::string& file_name);

/// Wherever the archive has a member's checksum.
void write_member_crc(std::vector<std::byte>& file, const container::ZipMember& member, std::uint32_t crc);

/// The same for a model of ONNX. Vectors that other places read too, or that lie where they cannot be changed, are
/// added as new initialisers, and the node's input is renamed: the one change of structure.
[[nodiscard]] std::vector<OutputFile> write_back_onnx(const Checkpoint& checkpoint, std::span<const Patch> patches,
                                                      const std::string& file_name);

/// As formats::in_inference_mode.
[[nodiscard]] std::vector<std::byte> onnx_in_inference_mode(std::span<const std::byte> file);

/// The first bytes of what torch.save's legacy container holds: its magic number as a pickle, of any protocol.
[[nodiscard]] bool is_pytorch_legacy(std::span<const std::byte> file);

}  // namespace shiftnorm::formats
