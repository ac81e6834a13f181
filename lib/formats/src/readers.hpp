#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "shiftnorm/formats/checkpoint.hpp"

namespace shiftnorm::formats {

/// What a reader finds in a file.
struct Contents {
  std::vector<NamedTensor> tensors;
  std::optional<graph::Graph> graph = std::nullopt;
  std::vector<OutputFile> companions = {};
  std::optional<Sizeless> sizeless = std::nullopt;
};

/// The folder that the file lies in, for formats that keep values in files beside it.
struct Neighbours {
  std::optional<std::filesystem::path> folder;  ///< absent: the bytes came without one

  /// The content of a file of that folder. `name` is not trusted: it names a file, with no way out of the folder.
  /// Errors  FormatError, UnsupportedError
  [[nodiscard]] std::vector<std::byte> read(std::string_view name) const;
};

/// What a description of a network gives.
struct Description {
  Sizeless network;
  std::vector<NamedTensor> values = {};
};

/// One reader per format. Errors  FormatError, UnsupportedError, without the file's name.
[[nodiscard]] Contents read_pytorch_legacy(std::span<const std::byte> file, const Neighbours& neighbours);
/// torch.save's; other archives are named and refused.
[[nodiscard]] Contents read_zip(std::span<const std::byte> file, const Neighbours& neighbours);
[[nodiscard]] Contents read_safetensors_checkpoint(std::span<const std::byte> file, const Neighbours& neighbours);
[[nodiscard]] Contents read_onnx(std::span<const std::byte> file, const Neighbours& neighbours);
[[nodiscard]] Description describe_onnx(std::span<const std::byte> file, const Neighbours& neighbours);
/// For files that hold no network.
[[nodiscard]] Description describes_nothing(std::span<const std::byte> file, const Neighbours& neighbours);

/// The checkpoint's bytes with the patches put in their places and a zip's checksums mended.
[[nodiscard]] std::vector<OutputFile> write_in_place(const Checkpoint& checkpoint, std::span<const Patch> patches,
                                                     const std::string& file_name);

/// The same for a model of ONNX. Vectors that other places read too, or that lie where they cannot be changed, are
/// added as new initialisers, and the node's input is renamed: the one change of structure.
[[nodiscard]] std::vector<OutputFile> write_back_onnx(const Checkpoint& checkpoint, std::span<const Patch> patches,
                                                      const std::string& file_name);

/// The first bytes of what torch.save's legacy container holds: its magic number as a pickle, of any protocol.
[[nodiscard]] bool is_pytorch_legacy(std::span<const std::byte> file);

}  // namespace shiftnorm::formats
