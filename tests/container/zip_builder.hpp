#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "container/bytes.hpp"
#include "shiftnorm/container/zip.hpp"

namespace shiftnorm::test {

/// Writes a zip archive of stored members by PKWARE's APPNOTE, with the lies that a test asks for.
struct ZipBuilder {
  struct Member {
    std::string name;
    std::vector<std::byte> content;
    bool descriptor = false;  ///< CRC and sizes behind the data, as PyTorch writes them
    bool zip64 = false;       ///< sizes and offset in the zip64 fields
    std::optional<std::uint64_t> claimed_size = std::nullopt;  ///< in the directory
    std::optional<std::uint64_t> claimed_header = std::nullopt;
    std::uint16_t flags = 0, method = 0;
    std::optional<std::vector<std::byte>> unpacked = std::nullopt;  ///< what deflated content holds (method 8)
    std::uint64_t padding = 0;  ///< extra field in the local header, as PyTorch aligns data
  };

  std::vector<Member> members;
  bool zip64_end = false;

  [[nodiscard]] std::vector<std::byte> build() const {
    ByteWriter out;
    std::vector<std::uint64_t> headers;
    for (const Member& m : members) {
      headers.push_back(out.size());
      write_local(out, m);
    }
    const std::uint64_t directory = out.size();
    for (std::size_t i = 0; i < members.size(); ++i) write_central(out, members[i], headers[i]);
    const std::uint64_t size = out.size() - directory;
    if (zip64_end) {
      const std::uint64_t end64 = out.size();
      out.u32(0x06064b50)
          .u64(44)
          .u16(45)
          .u16(45)
          .u32(0)
          .u32(0)
          .u64(members.size())
          .u64(members.size())
          .u64(size)
          .u64(directory);
      out.u32(0x07064b50).u32(0).u64(end64).u32(1);
    }
    out.u32(0x06054b50).u16(0).u16(0);
    const std::uint64_t shown = zip64_end ? 0xffff : members.size();
    out.u16(shown).u16(shown).u32(zip64_end ? 0xffffffff : size).u32(zip64_end ? 0xffffffff : directory).u16(0);
    return out.bytes();
  }

 private:
  static std::uint64_t flags_of(const Member& m) { return m.flags | (m.descriptor ? 8U : 0U); }

  static std::uint32_t crc_of(const Member& m) { return container::crc32(m.unpacked.value_or(m.content)); }
  static std::uint64_t size_of(const Member& m) { return m.unpacked.value_or(m.content).size(); }

  static void write_local(ByteWriter& out, const Member& m) {
    const bool wide = m.zip64 && !m.descriptor;
    const auto shown = [&m, wide](std::uint64_t v) { return m.descriptor ? 0 : wide ? 0xffffffff : v; };
    out.u32(0x04034b50).u16(20).u16(flags_of(m)).u16(m.method).u32(0).u32(m.descriptor ? 0 : crc_of(m));
    out.u32(shown(m.content.size())).u32(shown(size_of(m))).u16(m.name.size());
    out.u16((wide ? 20 : 0) + (m.padding > 0 ? 4 + m.padding : 0)).text(m.name);
    if (wide) out.u16(1).u16(16).u64(size_of(m)).u64(m.content.size());
    if (m.padding > 0) out.text("FB").u16(m.padding).text(std::string(m.padding, 'Z'));
    out.raw(m.content);
    const unsigned width = m.zip64 ? 8 : 4;
    if (m.descriptor) out.u32(0x08074b50).u32(crc_of(m)).number(m.content.size(), width).number(size_of(m), width);
  }

  static void write_central(ByteWriter& out, const Member& m, std::uint64_t header) {
    const std::uint64_t packed = m.claimed_size.value_or(m.content.size());
    const std::uint64_t size = m.claimed_size.value_or(size_of(m));
    const std::uint64_t at = m.claimed_header.value_or(header);
    out.u32(0x02014b50).u16(20).u16(20).u16(flags_of(m)).u16(m.method).u32(0).u32(crc_of(m));
    out.u32(m.zip64 ? 0xffffffff : packed)
        .u32(m.zip64 ? 0xffffffff : size)
        .u16(m.name.size())
        .u16(m.zip64 ? 28 : 0)
        .u16(0);
    out.u16(0).u16(0).u32(0).u32(m.zip64 ? 0xffffffff : at).text(m.name);
    if (m.zip64) out.u16(1).u16(24).u64(size).u64(packed).u64(at);
  }
};

}  // namespace shiftnorm::test
