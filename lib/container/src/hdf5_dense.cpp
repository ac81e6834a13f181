#include "hdf5_dense.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "shiftnorm/core/error.hpp"

// Source: HDF5 File Format Specification, III.A.2 (version 2 B-trees) and III.G (fractal heap).
namespace shiftnorm::container::hdf5 {
namespace {

constexpr std::size_t kMaxRecords = std::size_t{1} << 20U;
constexpr unsigned kMaxHeapDepth = 16;

/// Bytes that hold any number up to `limit`.
unsigned bytes_for(std::uint64_t limit) { return static_cast<unsigned>(std::bit_width(limit) + 7) / 8; }

/// The records of a version 2 B-tree, in order.
class RecordTree {
 public:
  RecordTree(Bytes file, std::uint64_t address) : file_(file) {
    ByteReader reader = open_at(file, address, "BTHD");
    reader.skip(1);  // version
    type_ = reader.u8();
    node_size_ = reader.u32();
    record_size_ = reader.u16();
    const unsigned depth = reader.u16();
    reader.skip(2);  // split and merge percent
    const std::uint64_t root = reader.u64();
    const std::uint64_t count = reader.u16();
    if (record_size_ < 4 || node_size_ < kPrefix + record_size_ || depth > kMaxHeapDepth)
      throw FormatError(
          fmt::format("a B-tree with nodes of {} bytes, records of {} and depth {}", node_size_, record_size_, depth));
    std::uint64_t most = (node_size_ - kPrefix) / record_size_, total = most;
    widths_.push_back({bytes_for(most), 0});
    for (unsigned level = 1; level <= depth; ++level) {
      const std::uint64_t pointer = 8 + widths_[level - 1].count + widths_[level - 1].total;
      if (node_size_ < kPrefix + pointer) throw FormatError("a B-tree whose nodes hold no record");
      most = (node_size_ - kPrefix - pointer) / (record_size_ + pointer);
      total = std::min<std::uint64_t>((most + 1) * total + most, std::uint64_t{1} << 40U);
      widths_.push_back({bytes_for(most), bytes_for(total)});
    }
    if (root != kNowhere && count > 0) read_node(root, count, depth);
  }

  [[nodiscard]] unsigned type() const { return type_; }
  [[nodiscard]] const std::vector<Bytes>& records() const { return records_; }

 private:
  static constexpr std::uint64_t kPrefix = 10;  // signature, version, type, checksum

  /// Width of the fields of a pointer to a node of this level: its own records, and all below it.
  struct Widths {
    unsigned count, total;
  };

  void read_node(std::uint64_t address, std::uint64_t count, unsigned level) {
    ByteReader reader = open_at(file_, address, level == 0 ? "BTLF" : "BTIN");
    reader.skip(2);
    for (std::uint64_t i = 0; i < count; ++i) {
      records_.push_back(reader.take(record_size_));
      if (records_.size() > kMaxRecords) throw FormatError(fmt::format("more than {} names in a group", kMaxRecords));
    }
    if (level == 0) return;
    for (std::uint64_t i = 0; i <= count; ++i) {
      const std::uint64_t child = reader.u64();
      const std::uint64_t below = number(reader, widths_[level - 1].count);
      if (level > 1) reader.skip(widths_[level - 1].total);
      if (++nodes_ > kMaxRecords) throw FormatError(fmt::format("more than {} nodes in a B-tree", kMaxRecords));
      read_node(child, below, level - 1);
    }
  }

  Bytes file_;
  unsigned type_ = 0;
  std::uint64_t node_size_ = 0, record_size_ = 0;
  std::size_t nodes_ = 0;
  std::vector<Widths> widths_;
  std::vector<Bytes> records_;
};

/// The managed objects of a fractal heap.
class FractalHeap {
 public:
  FractalHeap(Bytes file, std::uint64_t address) : file_(file) {
    ByteReader reader = open_at(file, address, "FRHP");
    reader.skip(3);  // version, length of ids
    if (reader.u16() != 0) throw UnsupportedError("a group's names are compressed");
    reader.skip(1);
    const std::uint64_t largest = reader.u32();
    reader.skip(std::uint64_t{12} * 8);  // huge and tiny objects, free space, totals
    width_ = reader.u16();
    start_ = reader.u64();
    max_direct_ = reader.u64();
    const unsigned bits = reader.u16();
    reader.skip(2);
    root_ = reader.u64();
    rows_ = reader.u16();
    if (width_ == 0 || !std::has_single_bit(start_) || !std::has_single_bit(max_direct_) || start_ > max_direct_ ||
        max_direct_ > (std::uint64_t{1} << 32U) || bits == 0 || bits > 64 || rows_ > 64)
      throw FormatError("a heap with inconsistent sizes");
    offset_bytes_ = (bits + 7) / 8;
    length_bytes_ = std::min(static_cast<unsigned>(std::bit_width(max_direct_) - 1 + 7) / 8, bytes_for(largest));
  }

  [[nodiscard]] Bytes object(Bytes id) const {
    ByteReader reader(id);
    if (const unsigned flags = reader.u8(); (flags & 0xf0U) != 0)
      throw UnsupportedError("a name or attribute kept outside its heap");
    const std::uint64_t offset = number(reader, offset_bytes_), length = number(reader, length_bytes_);
    if (rows_ == 0) return inside(root_, 0, start_, offset, length);
    return find(root_, 0, rows_, offset, length, 0);
  }

 private:
  [[nodiscard]] Bytes inside(std::uint64_t block, std::uint64_t begin, std::uint64_t size, std::uint64_t offset,
                             std::uint64_t length) const {
    (void)open_at(file_, block, "FHDB");
    if (offset < begin || offset - begin > size || length > size - (offset - begin))
      throw FormatError("an object outside its heap");
    ByteReader reader(file_, block);
    reader.skip(offset - begin);
    return reader.take(length);
  }

  [[nodiscard]] std::uint64_t block_size(unsigned row) const { return row == 0 ? start_ : start_ << (row - 1); }

  [[nodiscard]] Bytes find(std::uint64_t block, std::uint64_t begin, unsigned rows, std::uint64_t offset,
                           std::uint64_t length, unsigned depth) const {
    if (depth > kMaxHeapDepth) throw FormatError("a heap deeper than any file");
    ByteReader reader = open_at(file_, block, "FHIB");
    reader.skip(1 + 8 + offset_bytes_);
    for (unsigned row = 0; row < rows; ++row) {
      const std::uint64_t size = block_size(row);
      if (size == 0 || size > (std::uint64_t{1} << 48U) / width_) break;
      if (offset >= begin + size * width_) {
        begin += size * width_;
        reader.skip(8 * width_);
        continue;
      }
      const std::uint64_t column = offset < begin ? 0 : (offset - begin) / size;
      reader.skip(8 * column);
      const std::uint64_t child = reader.u64();
      begin += column * size;
      if (size <= max_direct_) return inside(child, begin, size, offset, length);
      const int first_rows = std::bit_width(size) - std::bit_width(start_ * std::bit_floor(width_)) + 1;
      return find(child, begin, static_cast<unsigned>(std::max(first_rows, 1)), offset, length, depth + 1);
    }
    throw FormatError("an object outside its heap");
  }

  Bytes file_;
  std::uint64_t width_ = 0, start_ = 0, max_direct_ = 0, root_ = 0;
  unsigned rows_ = 0, offset_bytes_ = 0, length_bytes_ = 0;
};

}  // namespace

std::vector<Bytes> read_dense(Bytes file, std::uint64_t heap, std::uint64_t index) {
  constexpr unsigned kLinkNames = 5, kAttributeNames = 8, kHashBytes = 4;
  const FractalHeap objects(file, heap);
  const RecordTree tree(file, index);
  if (tree.type() != kLinkNames && tree.type() != kAttributeNames)
    throw FormatError(fmt::format("a B-tree of type {} as index of names", tree.type()));
  std::vector<Bytes> found;
  // A link's record is its hash and its id; an attribute's begins with the id.
  for (const Bytes& record : tree.records())
    found.push_back(objects.object(tree.type() == kLinkNames ? record.subspan(kHashBytes) : record));
  return found;
}

}  // namespace shiftnorm::container::hdf5
