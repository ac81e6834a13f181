#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "shiftnorm/container/byte_reader.hpp"

namespace shiftnorm::container::hdf5 {

using Bytes = std::span<const std::byte>;

/// Address of what was never written.
inline constexpr std::uint64_t kNowhere = ~std::uint64_t{0};

/// Kinds of header messages that matter here.
enum class MessageType : std::uint16_t {
  dataspace = 0x01,
  link_info = 0x02,
  datatype = 0x03,
  fill_value = 0x05,
  link = 0x06,
  external_files = 0x07,
  layout = 0x08,
  filters = 0x0B,
  attribute = 0x0C,
  continuation = 0x10,
  symbol_table = 0x11,
  attribute_info = 0x15
};

/// Bytes of the file that a checksum behind them covers; none: an end of 0.
struct Covered {
  std::uint64_t begin = 0, end = 0;
};

struct Message {
  MessageType type;
  bool shared = false;  ///< the data is a pointer to a message elsewhere
  Bytes data;
  std::uint64_t offset = 0;  ///< of data, from the file's start
  Covered covered = {};      ///< the block of the header that it is in
};

/// The messages of an object header of version 1 or 2, continuations included, in order.
struct ObjectHeader {
  std::vector<Message> messages;
  bool checksummed = false;

  [[nodiscard]] const Message* find(MessageType type) const;
};

[[nodiscard]] ObjectHeader read_header(Bytes file, std::uint64_t address);

/// A reader behind a structure's signature. Errors  FormatError naming `what` if the signature is not there.
[[nodiscard]] ByteReader open_at(Bytes file, std::uint64_t address, std::string_view signature);

/// A little-endian number of up to 8 bytes.
[[nodiscard]] std::uint64_t number(ByteReader& reader, unsigned width);

}  // namespace shiftnorm::container::hdf5
