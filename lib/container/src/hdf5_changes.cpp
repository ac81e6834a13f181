#include <fmt/format.h>

#include <algorithm>

#include "hdf5_checksum.hpp"
#include "hdf5_chunks.hpp"
#include "shiftnorm/container/hdf5.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::container {

using namespace hdf5;

namespace {

using File = std::vector<std::byte>;

/// Where the superblock says how long the file is.
struct FileEnd {
  std::uint64_t offset = 0;
  Covered covered;
};

FileEnd file_end(Bytes file) {
  constexpr std::uint64_t kVersion = 8;
  switch (std::to_integer<unsigned>(file[kVersion])) {
    case 0: return {40, {}};
    case 1: return {44, {}};
    default: return {28, {0, 44}};
  }
}

class Writer {
 public:
  Writer(File file, bool may_grow) : file_(std::move(file)), may_grow_(may_grow) {}

  void change(const Hdf5Change& change) {
    // The header is read again for each: what an earlier change did to the file's end is nothing to it.
    const ObjectHeader header = read_header(file_, change.object);
    const Message* layout = header.find(MessageType::layout);
    if (layout == nullptr) throw FormatError("is not a dataset");
    const std::uint64_t width = size_of(change.values.dtype());
    const Shape& shape = change.values.shape();
    const Chunks chunks = read_chunks(file_, header, *layout, shape, width);
    std::int64_t covered = 0;
    for (const Chunk& chunk : chunks.chunks) {
      std::int64_t inside = 1;
      for (std::size_t axis = 0; axis < shape.rank(); ++axis)
        inside *= std::min(chunks.extents[axis], shape[axis] - chunk.origin[axis]);
      covered += inside;
    }
    if (covered != shape.elements())
      throw UnsupportedError("some of its chunks were never written, and cannot be changed; expected all of them");
    for (const Chunk& chunk : chunks.chunks) {
      File values =
          cut(change.values.bytes(), chunks, chunk, shape, width,
              unfiltered(Bytes(file_).subspan(chunk.address, chunk.size), chunks.filters, chunk.mask, chunks.bytes));
      std::uint32_t mask = 0;
      const File stored = filtered(std::move(values), chunks.filters, mask);
      put(chunk, stored, mask);
    }
  }

  [[nodiscard]] File take() && { return std::move(file_); }

 private:
  void put(const Chunk& chunk, const File& stored, std::uint32_t mask) {
    std::uint64_t address = chunk.address;
    if (stored.size() > chunk.size) address = place_at_end(stored.size(), chunk);
    if (stored.size() != chunk.size && (chunk.size_at.width == 0 || too_wide(stored.size(), chunk.size_at.width)))
      throw UnsupportedError(fmt::format("a chunk of {} bytes, more than the index can record", stored.size()));
    std::copy(stored.begin(), stored.end(), file_.begin() + static_cast<std::ptrdiff_t>(address));
    put_number(file_, chunk.size_at.offset, stored.size(), chunk.size_at.width);
    put_number(file_, chunk.mask_at.offset, mask, chunk.mask_at.width);
    if (address != chunk.address) put_number(file_, chunk.address_at.offset, address, chunk.address_at.width);
    if (chunk.covered.end != 0) put_checksum(file_, chunk.covered.begin, chunk.covered.end);
  }

  static bool too_wide(std::uint64_t number, unsigned width) { return width < 8 && number >> (8U * width) != 0; }

  std::uint64_t place_at_end(std::uint64_t size, const Chunk& chunk) {
    if (!may_grow_ || chunk.address_at.width == 0)
      throw UnsupportedError(
          fmt::format("a chunk takes {} bytes with its new values; "
                      "{} are available; expected the weights without compression",
                      size, chunk.size));
    const FileEnd end = file_end(file_);
    const std::uint64_t known = ByteReader(file_, end.offset).u64();
    // Whatever lies beyond the end that the file states is not part of it, and stays.
    const std::uint64_t address = (std::max<std::uint64_t>(known, file_.size()) + 7) / 8 * 8;
    file_.resize(address + size);
    put_number(file_, end.offset, file_.size(), 8);
    if (end.covered.end != 0) put_checksum(file_, end.covered.begin, end.covered.end);
    return address;
  }

  File file_;
  bool may_grow_;
};

}  // namespace

std::vector<std::byte> with_changes(std::vector<std::byte> file, std::span<const Hdf5Change> changes, bool may_grow) {
  Writer writer(std::move(file), may_grow);
  try {
    for (const Hdf5Change& change : changes) writer.change(change);
  } catch (const Error&) {
    rethrow_at("HDF5");
  }
  return std::move(writer).take();
}

}  // namespace shiftnorm::container
