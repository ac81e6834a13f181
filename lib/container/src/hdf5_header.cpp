#include "hdf5_header.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"

namespace shiftnorm::container::hdf5 {
namespace {

// Every continuation is listed before it is read, and a circle of them would never end.
constexpr std::size_t kMaxBlocks = 4096;
constexpr std::size_t kMaxMessages = std::size_t{1} << 16U;

struct Block {
  std::uint64_t address, size;
  Covered covered = {};
};

void add_message(ObjectHeader& header, std::vector<Block>& blocks, Message message) {
  if (message.type == MessageType::continuation) {
    ByteReader reader(message.data);
    const std::uint64_t address = reader.u64(), size = reader.u64();
    blocks.push_back({address, size});
    if (blocks.size() > kMaxBlocks)
      throw FormatError(fmt::format("an object header of more than {} blocks", kMaxBlocks));
  }
  header.messages.push_back(message);
  if (header.messages.size() > kMaxMessages)
    throw FormatError(fmt::format("an object header of more than {} messages", kMaxMessages));
}

/// What a header message looks like before its data: version 1 pads everything to 8 bytes.
void read_block(Bytes file, const Block& block, bool second_version, bool ordered, ObjectHeader& header,
                std::vector<Block>& blocks) {
  const Bytes bytes = ByteReader(file, block.address).take(block.size);
  ByteReader reader(bytes);
  const std::uint64_t prefix = !second_version ? 8 : ordered ? 6 : 4;
  while (reader.left() >= prefix) {
    const std::uint16_t type = second_version ? reader.u8() : reader.u16();
    const std::uint16_t size = reader.u16();
    const std::uint8_t flags = reader.u8();
    if (!second_version) reader.skip(3);
    if (ordered) reader.skip(2);
    const std::uint64_t offset = block.address + reader.position();
    add_message(header, blocks,
                {static_cast<MessageType>(type), (flags & 2U) != 0, reader.take(size), offset, block.covered});
  }
}

void read_first_version(Bytes file, std::uint64_t address, ObjectHeader& header) {
  ByteReader reader(file, address);
  reader.skip(8);  // version, reserved, number of messages, reference count
  const std::uint64_t size = reader.u32();
  reader.skip(4);
  std::vector<Block> blocks{{reader.position(), size}};
  for (std::size_t i = 0; i < blocks.size(); ++i) read_block(file, Block(blocks[i]), false, false, header, blocks);
}

void read_second_version(Bytes file, std::uint64_t address, ObjectHeader& header) {
  ByteReader reader = open_at(file, address, "OHDR");
  if (const unsigned version = reader.u8(); version != 2)
    throw UnsupportedError(fmt::format("an object header of version {}; expected 1 or 2", version));
  const unsigned flags = reader.u8();
  if ((flags & 0x20U) != 0) reader.skip(16);  // four times
  if ((flags & 0x10U) != 0) reader.skip(4);   // when attributes move out of the header
  const std::uint64_t size = number(reader, 1U << (flags & 3U));
  const bool ordered = (flags & 4U) != 0;
  header.checksummed = true;
  std::vector<Block> blocks{{reader.position(), size}};
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    Block block = blocks[i];
    block.covered = {i > 0 ? block.address : address, 0};
    if (i > 0) {  // signature in front, checksum behind
      block.address = open_at(file, block.address, "OCHK").position();
      if (block.size < 8) throw FormatError(fmt::format("a header block of {} bytes; expected 8 or more", block.size));
      block.size -= 8;
    }
    block.covered.end = block.address + block.size;
    read_block(file, block, true, ordered, header, blocks);
  }
}

}  // namespace

const Message* ObjectHeader::find(MessageType type) const {
  const auto at =
      std::find_if(messages.begin(), messages.end(), [type](const Message& message) { return message.type == type; });
  return at == messages.end() ? nullptr : &*at;
}

ByteReader open_at(Bytes file, std::uint64_t address, std::string_view signature) {
  ByteReader reader(file, address);
  if (const std::string_view found = reader.take_text(signature.size()); found != signature)
    throw FormatError(fmt::format("at byte {}: no {}: the file is damaged", address, signature));
  return reader;
}

std::uint64_t number(ByteReader& reader, unsigned width) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < width; ++i) value |= std::uint64_t{reader.u8()} << (8U * i);
  return value;
}

ObjectHeader read_header(Bytes file, std::uint64_t address) {
  ObjectHeader header;
  const unsigned first = ByteReader(file, address).u8();
  if (first == 1)
    read_first_version(file, address, header);
  else
    read_second_version(file, address, header);
  return header;
}

}  // namespace shiftnorm::container::hdf5
