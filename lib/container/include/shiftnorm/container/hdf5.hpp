#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/core/array.hpp"

namespace shiftnorm::container {

/// A name in a group and the object it leads to.
struct Hdf5Link {
  std::string name;
  std::optional<std::uint64_t> target;  ///< absent: a soft or external link, which is never followed
};

/// Where the values of a dataset lie.
struct Hdf5Dataset {
  DType dtype = DType::f32;
  Shape shape;
  std::uint64_t object = 0;  ///< whose it is
  /// Of the first value, from the file's start; values are dense and row-major. In chunks: of their index.
  std::uint64_t offset = 0;
  bool in_chunks = false;  ///< compressed or not
};

/// New values of a dataset in chunks.
struct Hdf5Change {
  std::uint64_t object = 0;
  Array values;  ///< of its shape and type
};

/// Groups, text attributes and datasets of an HDF5 file in memory, as h5py writes them: superblock 0 to 3, groups of
/// any kind, contiguous, compact and chunked datasets, these compressed by gzip or lzf, shuffled and with checksums.
/// Objects are named by the address of their header. Nothing outside the bytes is ever opened, and every address,
/// length and depth is checked, so that a damaged file ends in an error. The bytes must outlive it. Reading is safe
/// from several threads. Errors  FormatError for a bad file; UnsupportedError for what HDF5 allows and this does not
/// read. Source  HDF5 File Format Specification Version 3.0.
class Hdf5 {
 public:
  explicit Hdf5(std::span<const std::byte> file);

  [[nodiscard]] std::uint64_t root() const noexcept { return root_; }
  /// In the file's order; empty for a dataset.
  [[nodiscard]] std::vector<Hdf5Link> links(std::uint64_t object) const;
  /// The strings of an attribute, of fixed or variable length; none for numbers; nullopt without such an attribute.
  [[nodiscard]] std::optional<std::vector<std::string>> texts(std::uint64_t object, std::string_view attribute) const;
  /// Its values lie inside the file.
  [[nodiscard]] Hdf5Dataset dataset(std::uint64_t object) const;
  [[nodiscard]] Array values(const Hdf5Dataset& dataset) const;

 private:
  std::span<const std::byte> file_;
  std::uint64_t root_ = 0;
};

/// The file with other values in datasets that are stored in chunks. A chunk whose new bytes fit where the old ones lie
/// is changed there; another goes to the end of the file (`may_grow`), where the index then leads, and its old place is
/// lost. Nothing else differs but sizes, addresses and checksums of the index, and the file's length in its superblock.
/// Errors  UnsupportedError for a chunk that was never written, and for one that does not fit where it may not grow.
[[nodiscard]] std::vector<std::byte> with_changes(std::vector<std::byte> file, std::span<const Hdf5Change> changes,
                                                  bool may_grow);

}  // namespace shiftnorm::container
