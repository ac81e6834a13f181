#include "shiftnorm/container/zip.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_set>

#include "inflate.hpp"
#include "shiftnorm/container/byte_reader.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

// Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 (records), 4.4 (fields) and 4.5.3 (zip64).
namespace shiftnorm::container {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50, kDescriptor = 0x08074b50, kCentralHeader = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50, kEnd64 = 0x06064b50, kEnd64Locator = 0x07064b50;
constexpr std::uint64_t kEndSize = 22, kEnd64LocatorSize = 20, kCentralHeaderSize = 46, kLocalCrc = 14,
                        kCentralCrc = 16;
constexpr std::uint32_t kIn64 = 0xffffffff;
constexpr std::uint16_t kIn64Short = 0xffff;
constexpr std::uint16_t kEncrypted = 1U << 0U | 1U << 6U | 1U << 13U, kHasDescriptor = 1U << 3U;
constexpr std::uint16_t kStored = 0, kDeflated = 8;

struct Directory {
  std::uint64_t offset = 0, size = 0, entries = 0;
  std::uint64_t end = 0;  // where the records behind it begin
};

/// The end record is found backwards, because a comment of unknown length follows it.
std::uint64_t find_end_record(std::span<const std::byte> file) {
  if (file.size() < kEndSize) throw FormatError("zip: has no end record: the file is truncated");
  const std::uint64_t last = file.size() - kEndSize;
  const std::uint64_t first = last > 0xffff ? last - 0xffff : 0;
  for (std::uint64_t at = last + 1; at-- > first;) {
    ByteReader reader(file, at);
    if (reader.u32() != kEnd) continue;
    reader.skip(16);
    if (reader.u16() == reader.left()) return at;
  }
  throw FormatError("zip: has no end record: the file is truncated");
}

Directory read_end_record(std::span<const std::byte> file) {
  Directory directory;
  directory.end = find_end_record(file);
  ByteReader reader(file, directory.end + 4);
  const std::uint16_t disk = reader.u16(), first_disk = reader.u16();
  const std::uint16_t entries_here = reader.u16();
  directory.entries = reader.u16();
  directory.size = reader.u32();
  directory.offset = reader.u32();
  if ((disk != 0 && disk != kIn64Short) || (first_disk != 0 && first_disk != kIn64Short) ||
      entries_here != directory.entries)
    throw UnsupportedError("zip: is split over several files; expected one");
  if (directory.end < kEnd64LocatorSize) return directory;

  ByteReader locator(file, directory.end - kEnd64LocatorSize);
  if (locator.u32() != kEnd64Locator) return directory;
  locator.skip(4);
  const std::uint64_t end64 = locator.u64();
  if (end64 > directory.end - kEnd64LocatorSize)
    throw FormatError(
        fmt::format("zip: its zip64 end record lies at byte {}; expected before byte {}", end64, directory.end));
  ByteReader record(file, end64);
  if (record.u32() != kEnd64) throw FormatError(fmt::format("zip: no zip64 end record at byte {}", end64));
  record.skip(20);  // record size, versions, disk numbers
  record.skip(8);   // entries on this disk
  directory.end = end64;
  directory.entries = record.u64();
  directory.size = record.u64();
  directory.offset = record.u64();
  return directory;
}

struct Entry {
  ZipMember member;
  std::uint16_t flags = 0, method = 0;
  std::uint64_t header = 0;  // offset of the local header
  std::uint64_t end = 0;     // behind its data and descriptor
};

/// Sizes (and offset) of 32 bits that say "see the zip64 field" are replaced, in the order the field keeps them.
void read_zip64(std::span<const std::byte> extra, std::span<std::uint64_t* const> values) {
  const bool needed = std::any_of(values.begin(), values.end(), [](const std::uint64_t* v) { return *v == kIn64; });
  ByteReader reader(extra);
  while (needed && reader.left() >= 4) {
    const std::uint16_t id = reader.u16(), size = reader.u16();
    if (size > reader.left()) break;
    ByteReader field(reader.take(size));
    if (id != 1) continue;
    for (std::uint64_t* value : values)
      if (*value == kIn64) *value = field.u64();
    return;
  }
}

Entry read_central(ByteReader& reader, std::uint64_t at) {
  Entry entry;
  ZipMember& member = entry.member;
  if (reader.u32() != kCentralHeader) throw FormatError(fmt::format("zip: no directory entry at byte {}", at));
  reader.skip(4);  // versions
  entry.flags = reader.u16();
  entry.method = reader.u16();
  reader.skip(4);  // time, date
  member.crc = reader.u32();
  member.central_crc_offset = at + kCentralCrc;
  member.compressed_size = reader.u32();
  member.size = reader.u32();
  const std::uint16_t name = reader.u16(), extra = reader.u16(), comment = reader.u16();
  reader.skip(8);  // disk, attributes
  entry.header = reader.u32();
  member.name = std::string(reader.take_text(name));
  read_zip64(reader.take(extra), std::array{&member.size, &member.compressed_size, &entry.header});
  reader.skip(comment);
  if ((entry.flags & kEncrypted) != 0)
    throw UnsupportedError(fmt::format("zip: member '{}' is encrypted", printable(member.name)));
  if (entry.method != kStored && entry.method != kDeflated)
    throw UnsupportedError(
        fmt::format("zip: member '{}' is compressed by method {}; supported are 0 (stored) and 8 (deflate)",
                    printable(member.name), entry.method));
  member.stored = entry.method == kStored;
  if (member.stored && member.size != member.compressed_size)
    throw FormatError(fmt::format("zip: stored member '{}' has {} bytes in {}; expected them equal",
                                  printable(member.name), member.size, member.compressed_size));
  return entry;
}

[[noreturn]] void disagree(const ZipMember& member, std::string_view what) {
  throw FormatError(
      fmt::format("zip: member '{}': local header and directory disagree about its {}", printable(member.name), what));
}

void read_local(std::span<const std::byte> file, Entry& entry) {
  ZipMember& member = entry.member;
  ByteReader reader(file, entry.header);
  if (reader.u32() != kLocalHeader)
    throw FormatError(
        fmt::format("zip: member '{}' has no local header at byte {}", printable(member.name), entry.header));
  reader.skip(2);
  const std::uint16_t flags = reader.u16(), method = reader.u16();
  reader.skip(4);
  const std::uint32_t crc = reader.u32();
  std::uint64_t compressed = reader.u32(), size = reader.u32();
  const std::uint16_t name = reader.u16(), extra = reader.u16();
  if (reader.take_text(name) != member.name) disagree(member, "name");
  read_zip64(reader.take(extra), std::array{&size, &compressed});
  if (((flags ^ entry.flags) & (kEncrypted | kHasDescriptor)) != 0) disagree(member, "flags");
  if (method != entry.method) disagree(member, "compression");
  // With a descriptor behind the data these fields are zero, or already right.
  const bool later = (flags & kHasDescriptor) != 0;
  if (crc != member.crc && !(later && crc == 0)) disagree(member, "CRC");
  if (size != member.size && !(later && size == 0)) disagree(member, "size");
  if (compressed != member.compressed_size && !(later && compressed == 0)) disagree(member, "compressed size");
  if (!later || crc != 0) member.local_crc_offset = entry.header + kLocalCrc;
  member.data_offset = reader.position();
  reader.skip(member.compressed_size);
  entry.end = reader.position();
}

/// A descriptor is CRC and both sizes, 32 or 64 bits wide, with or without a signature before it; nothing says which.
void read_descriptor(std::span<const std::byte> file, Entry& entry) {
  ZipMember& member = entry.member;
  for (const bool has_signature : {true, false}) {
    for (const bool wide : {true, false}) {
      ByteReader reader(file, entry.end);
      if (reader.left() < (has_signature ? 4U : 0U) + 4U + (wide ? 16U : 8U)) continue;
      if (has_signature && reader.u32() != kDescriptor) continue;
      const std::uint64_t crc_offset = reader.position();
      if (reader.u32() != member.crc) continue;
      const std::uint64_t compressed = wide ? reader.u64() : reader.u32();
      const std::uint64_t size = wide ? reader.u64() : reader.u32();
      if (compressed != member.compressed_size || size != member.size) continue;
      member.descriptor_crc_offset = crc_offset;
      entry.end = reader.position();
      return;
    }
  }
  throw FormatError(
      fmt::format("zip: member '{}' has no valid data descriptor at byte {}", printable(member.name), entry.end));
}

void check_disjoint(const std::vector<Entry>& entries, std::uint64_t directory) {
  std::vector<const Entry*> sorted;
  sorted.reserve(entries.size());
  for (const Entry& entry : entries) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(), [](const Entry* a, const Entry* b) { return a->header < b->header; });
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const std::uint64_t next = i + 1 < sorted.size() ? sorted[i + 1]->header : directory;
    if (sorted[i]->end > next)
      throw FormatError(fmt::format("zip: member '{}' ends at byte {} and overlaps what begins at byte {}",
                                    printable(sorted[i]->member.name), sorted[i]->end, next));
  }
}

}  // namespace

std::vector<ZipMember> index_zip(std::span<const std::byte> file) {
  const Directory directory = read_end_record(file);
  if (directory.offset > directory.end || directory.size > directory.end - directory.offset)
    throw FormatError(fmt::format("zip: directory of {} bytes at byte {} does not fit before byte {}", directory.size,
                                  directory.offset, directory.end));
  if (directory.entries > directory.size / kCentralHeaderSize)
    throw FormatError(fmt::format("zip: {} members in a directory of {} bytes", directory.entries, directory.size));

  ByteReader reader(file.first(directory.offset + directory.size), directory.offset);
  std::vector<Entry> entries;
  std::unordered_set<std::string> names;
  entries.reserve(directory.entries);
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    Entry entry = read_central(reader, reader.position());
    read_local(file.first(directory.offset), entry);
    if ((entry.flags & kHasDescriptor) != 0) read_descriptor(file.first(directory.offset), entry);
    if (!names.insert(entry.member.name).second)
      throw FormatError(fmt::format("zip: two members are named '{}'", printable(entry.member.name)));
    entries.push_back(std::move(entry));
  }
  if (reader.left() != 0)
    throw FormatError(fmt::format("zip: {} bytes follow the last directory entry", reader.left()));
  check_disjoint(entries, directory.offset);

  std::vector<ZipMember> members;
  members.reserve(entries.size());
  for (Entry& entry : entries) members.push_back(std::move(entry.member));
  return members;
}

std::vector<std::byte> read_member(std::span<const std::byte> file, const ZipMember& member, std::uint64_t limit) {
  const std::string where = fmt::format("zip: member '{}'", printable(member.name));
  if (member.size > limit)
    throw FormatError(fmt::format("{} has {} bytes; expected at most {}", where, member.size, limit));
  try {
    const std::span<const std::byte> raw = ByteReader(file, member.data_offset).take(member.compressed_size);
    std::vector<std::byte> content =
        member.stored ? std::vector<std::byte>(raw.begin(), raw.end()) : inflate_raw(raw, member.size);
    const std::uint32_t found = crc32(content);
    if (found != member.crc)
      throw FormatError(fmt::format("content has CRC {:08x}; expected {:08x}: the file is damaged", found, member.crc));
    return content;
  } catch (const Error&) {
    rethrow_at(where);
  }
}

std::uint32_t crc32(std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(
      ::crc32_z(::crc32_z(0, nullptr, 0), reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace shiftnorm::container
