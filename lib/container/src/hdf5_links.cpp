#include "hdf5_links.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "hdf5_dense.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"

namespace shiftnorm::container::hdf5 {
namespace {

constexpr std::size_t kMaxLinks = std::size_t{1} << 20U;
constexpr unsigned kMaxLevel = 16;

/// A group of before HDF5 1.8: a B-tree of symbol table nodes, names in a local heap.
class SymbolTable {
 public:
  SymbolTable(Bytes file, const Message& message) : file_(file) {
    ByteReader reader(message.data);
    const std::uint64_t tree = reader.u64(), heap = reader.u64();
    ByteReader header = open_at(file, heap, "HEAP");
    header.skip(4);
    const std::uint64_t size = header.u64();
    header.skip(8);
    const std::uint64_t address = header.u64();
    names_ = ByteReader(file, address).take(size);
    read_tree(tree, kMaxLevel, false);
  }

  [[nodiscard]] std::vector<Hdf5Link> take() { return std::move(links_); }

 private:
  void read_tree(std::uint64_t address, unsigned expected_level, bool exact) {
    constexpr std::uint64_t kKey = 8;
    ByteReader reader = open_at(file_, address, "TREE");
    const unsigned type = reader.u8(), level = reader.u8();
    if (type != 0 || (exact ? level != expected_level : level > expected_level))
      throw FormatError(
          fmt::format("at byte {}: a B-tree node of type {} and level {}; expected a group's", address, type, level));
    const unsigned children = reader.u16();
    reader.skip(16);  // siblings
    for (unsigned i = 0; i < children; ++i) {
      reader.skip(kKey);
      const std::uint64_t child = reader.u64();
      if (++nodes_ > kMaxLinks) throw FormatError(fmt::format("more than {} nodes in a group", kMaxLinks));
      if (level > 0)
        read_tree(child, level - 1, true);
      else
        read_node(child);
    }
  }

  void read_node(std::uint64_t address) {
    constexpr unsigned kSoft = 2;
    ByteReader reader = open_at(file_, address, "SNOD");
    reader.skip(2);
    const unsigned symbols = reader.u16();
    for (unsigned i = 0; i < symbols; ++i) {
      const std::uint64_t name = reader.u64(), object = reader.u64();
      const std::uint32_t cached = reader.u32();
      reader.skip(20);
      links_.push_back({name_at(name), cached == kSoft ? std::nullopt : std::optional(object)});
      if (links_.size() > kMaxLinks) throw FormatError(fmt::format("more than {} names in a group", kMaxLinks));
    }
  }

  [[nodiscard]] std::string name_at(std::uint64_t offset) const {
    if (offset > names_.size()) throw FormatError("a name outside its group's heap");
    const std::string_view rest = as_text(names_.subspan(offset));
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos) throw FormatError("an unterminated name");
    taken_ += end;
    if (taken_ > file_.size()) throw FormatError("names that overlap");
    return std::string(rest.substr(0, end));
  }

  Bytes file_, names_;
  std::size_t nodes_ = 0;
  mutable std::uint64_t taken_ = 0;
  std::vector<Hdf5Link> links_;
};

Hdf5Link read_link(Bytes message) {
  constexpr unsigned kHard = 0;
  ByteReader reader(message);
  if (const unsigned version = reader.u8(); version != 1)
    throw UnsupportedError(fmt::format("a link of version {}; expected 1", version));
  const unsigned flags = reader.u8();
  const unsigned type = (flags & 8U) != 0 ? reader.u8() : kHard;
  if ((flags & 4U) != 0) reader.skip(8);   // creation order
  if ((flags & 16U) != 0) reader.skip(1);  // character set
  const std::uint64_t length = number(reader, 1U << (flags & 3U));
  Hdf5Link link{std::string(reader.take_text(length)), std::nullopt};
  if (type == kHard) link.target = reader.u64();
  return link;
}

}  // namespace

std::vector<Hdf5Link> read_links(Bytes file, const ObjectHeader& header) {
  if (const Message* table = header.find(MessageType::symbol_table)) return SymbolTable(file, *table).take();
  std::vector<Hdf5Link> links;
  for (const Message& message : header.messages)
    if (message.type == MessageType::link) links.push_back(read_link(message.data));
  if (const Message* info = header.find(MessageType::link_info)) {
    ByteReader reader(info->data);
    reader.skip(1);
    if ((reader.u8() & 1U) != 0) reader.skip(8);  // largest creation index
    const std::uint64_t heap = reader.u64(), index = reader.u64();
    if (heap != kNowhere)
      for (const Bytes& link : read_dense(file, heap, index)) links.push_back(read_link(link));
  }
  return links;
}

}  // namespace shiftnorm::container::hdf5
