#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "pickle.hpp"
#include "readers.hpp"

namespace shiftnorm::formats {

/// The bytes of a storage, as many as it claims or more, and where they lie in the file unless they were compressed.
struct StorageBytes {
  std::span<const std::byte> bytes;
  std::optional<std::uint64_t> file_offset;
};
using FindStorage = std::function<StorageBytes(const pickle::Storage&)>;

/// What a pickle holds: the tensors of its state dict or module, `wanted` or else the usual one, each made dense, and
/// the module's network if it is made of stock layers. Strides and views of shared storages are followed. `file_size`
/// bounds the memory: views that unfold to many times the file are refused.
/// Errors  FormatError naming the tensor: negative or overflowing extents, a view that leaves its storage;
///         UnsupportedError where no tensor is of a kind that is read.
[[nodiscard]] Contents read_pickled(const pickle::Pickled& object, std::string_view wanted, std::uint64_t file_size,
                                    const FindStorage& find_storage);

/// Bytes that a storage of this many elements takes. Errors  FormatError if 64 bits cannot count them; UnsupportedError
/// for elements of an unknown size.
[[nodiscard]] std::uint64_t byte_count(const pickle::Storage& storage);

}  // namespace shiftnorm::formats
