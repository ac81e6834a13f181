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
};

/// One reader per format. Errors  FormatError, UnsupportedError, without the file's name.
[[nodiscard]] Contents read_pytorch_legacy(std::span<const std::byte> file);
[[nodiscard]] Contents read_zip(
    std::span<const std::byte> file);  ///< torch.save's; other archives are named and refused
[[nodiscard]] Contents read_safetensors_checkpoint(std::span<const std::byte> file);

/// The first bytes of what torch.save's legacy container holds: its magic number as a pickle, of any protocol.
[[nodiscard]] bool is_pytorch_legacy(std::span<const std::byte> file);

}  // namespace shiftnorm::formats
