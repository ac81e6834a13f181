#include "shiftnorm/container/hdf5.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "hdf5_chunks.hpp"
#include "hdf5_header.hpp"
#include "hdf5_links.hpp"
#include "hdf5_values.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"

namespace shiftnorm::container {

using namespace hdf5;

namespace {

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";

/// It may follow a user block of 512, 1024, ... bytes, by which all addresses are shifted.
std::uint64_t find_signature(Bytes file) {
  if (ByteReader(file).left() < kSignature.size() || as_text(file.first(kSignature.size())) == kSignature) return 0;
  for (std::uint64_t at = 512; at + kSignature.size() <= file.size(); at *= 2)
    if (as_text(file.subspan(at, kSignature.size())) == kSignature)
      throw UnsupportedError(fmt::format("begins at byte {}, after a user block, which is not supported", at));
  return 0;
}

}  // namespace

Hdf5::Hdf5(std::span<const std::byte> file) : file_(file) {
  try {
    ByteReader reader = open_at(file, find_signature(file), kSignature);
    const unsigned version = reader.u8();
    if (version > 3) throw UnsupportedError(fmt::format("superblock version {}; supported are 0 to 3", version));
    const bool old = version < 2;
    if (old) reader.skip(4);
    const unsigned offsets = reader.u8(), lengths = reader.u8();
    if (offsets != 8 || lengths != 8)
      throw UnsupportedError(fmt::format("offsets of {} and lengths of {} bytes; expected 8", offsets, lengths));
    reader.skip(old ? 9 : 1);  // sizes of B-trees, flags
    if (version == 1) reader.skip(4);
    const std::uint64_t base = reader.u64();
    reader.skip(8);
    const std::uint64_t end = reader.u64();
    if (base != 0) throw UnsupportedError(fmt::format("a user block of {} bytes; expected none", base));
    if (end > file.size())
      throw FormatError(fmt::format("{} bytes; expected {}: the file is truncated", file.size(), end));
    if (old) reader.skip(16);  // driver information, the name of the root
    root_ = reader.u64();
    (void)read_header(file_, root_);
  } catch (const Error&) {
    rethrow_at("HDF5");
  }
}

std::vector<Hdf5Link> Hdf5::links(std::uint64_t object) const {
  try {
    return read_links(file_, read_header(file_, object));
  } catch (const Error&) {
    rethrow_at("HDF5");
  }
}

std::optional<std::vector<std::string>> Hdf5::texts(std::uint64_t object, std::string_view attribute) const {
  try {
    return read_texts(file_, read_header(file_, object), attribute);
  } catch (const Error&) {
    rethrow_at("HDF5");
  }
}

Hdf5Dataset Hdf5::dataset(std::uint64_t object) const {
  try {
    Hdf5Dataset found = read_dataset(file_, read_header(file_, object));
    found.object = object;
    return found;
  } catch (const Error&) {
    rethrow_at("HDF5");
  }
}

Array Hdf5::values(const Hdf5Dataset& dataset) const {
  const auto size = static_cast<std::size_t>(dataset.shape.elements()) * size_of(dataset.dtype);
  if (size == 0) return {dataset.dtype, dataset.shape};
  if (dataset.in_chunks) {
    try {
      const ObjectHeader header = read_header(file_, dataset.object);
      const std::uint64_t width = size_of(dataset.dtype);
      const Chunks chunks = read_chunks(file_, header, *header.find(MessageType::layout), dataset.shape, width);
      return {dataset.dtype, dataset.shape, read_values(file_, chunks, dataset.shape, width)};
    } catch (const Error&) {
      rethrow_at("HDF5");
    }
  }
  const std::span<const std::byte> bytes = file_.subspan(dataset.offset, size);
  return {dataset.dtype, dataset.shape, {bytes.begin(), bytes.end()}};
}

}  // namespace shiftnorm::container
