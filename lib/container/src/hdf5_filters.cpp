#include "hdf5_filters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "hdf5_checksum.hpp"
#include "inflate.hpp"
#include "shiftnorm/core/error.hpp"

// Source: HDF5 File Format Specification 3.0, IV.A.2.l, and the filters of libhdf5 and h5py.
namespace shiftnorm::container::hdf5 {
namespace {

using Data = std::vector<std::byte>;

constexpr unsigned kDeflate = 1, kShuffle = 2, kFletcher32 = 3, kLzf = 32000;
/// Filters with such numbers carry their name.
constexpr unsigned kFirstNamed = 256;
constexpr std::uint64_t kChecksum = 4;

/// Byte k of every element, for each k in turn; what is not a whole element stays at the end.
template <bool kBack>
Data shuffled(Data data, std::uint64_t width) {
  if (width < 2) return data;
  const std::uint64_t elements = data.size() / width;
  Data out = data;
  for (std::uint64_t k = 0; k < width; ++k)
    for (std::uint64_t i = 0; i < elements; ++i) {
      if constexpr (kBack)
        out[i * width + k] = data[k * elements + i];
      else
        out[k * elements + i] = data[i * width + k];
    }
  return out;
}

/// LibLZF's format: runs of bytes as they are, and copies of earlier ones.
Data unpack_lzf(Bytes packed, std::uint64_t size) {
  // Three bytes give 264 at most.
  if (size / 88 > packed.size()) throw FormatError(fmt::format("{} bytes of lzf cannot hold {}", packed.size(), size));
  Data out;
  out.reserve(size);
  ByteReader reader(packed);
  while (reader.left() > 0) {
    const unsigned control = reader.u8();
    if (control < 32) {
      const Bytes run = reader.take(control + 1);
      out.insert(out.end(), run.begin(), run.end());
    } else {
      std::uint64_t length = control >> 5U;
      if (length == 7) length += reader.u8();
      const std::uint64_t back = ((control & 0x1fU) << 8U | reader.u8()) + 1U;
      if (back > out.size()) throw FormatError("lzf data refer back beyond their beginning");
      for (std::uint64_t i = 0; i < length + 2; ++i) out.push_back(out[out.size() - back]);
    }
    if (out.size() > size) throw FormatError(fmt::format("lzf data hold more than the {} bytes of a chunk", size));
  }
  if (out.size() != size) throw FormatError(fmt::format("lzf data hold {} bytes; expected {}", out.size(), size));
  return out;
}

Data without_checksum(Data data) {
  if (data.size() < kChecksum) throw FormatError("a chunk without its checksum");
  const Bytes kept = Bytes(data).first(data.size() - kChecksum);
  const std::uint32_t stored = ByteReader(data, kept.size()).u32(), found = fletcher32(kept);
  // libhdf5 before 1.6.3 swapped the bytes of each half.
  const std::uint32_t old = (found & 0x00ff00ffU) << 8U | (found & 0xff00ff00U) >> 8U;
  if (stored != found && stored != old)
    throw FormatError(fmt::format("a chunk has checksum {:08x}; expected {:08x}: the file is damaged", found, stored));
  data.resize(kept.size());
  return data;
}

Data with_checksum(Data data) {
  const std::uint32_t sum = fletcher32(data);
  for (unsigned i = 0; i < kChecksum; ++i) data.push_back(static_cast<std::byte>(sum >> (8U * i)));
  return data;
}

}  // namespace

std::vector<Filter> read_filters(Bytes message) {
  ByteReader reader(message);
  const unsigned version = reader.u8(), count = reader.u8();
  if (version != 1 && version != 2) throw UnsupportedError(fmt::format("a filter pipeline of version {}", version));
  if (version == 1) reader.skip(6);
  std::vector<Filter> filters;
  for (unsigned i = 0; i < count; ++i) {
    Filter filter;
    filter.id = reader.u16();
    const bool named = version == 1 || filter.id >= kFirstNamed;
    const std::uint64_t name = named ? reader.u16() : 0;
    reader.skip(2);  // flags
    const unsigned settings = reader.u16();
    reader.skip(version == 1 ? (name + 7) / 8 * 8 : name);
    for (unsigned k = 0; k < settings; ++k) filter.settings.push_back(reader.u32());
    if (version == 1 && settings % 2 != 0) reader.skip(4);
    filters.push_back(std::move(filter));
  }
  return filters;
}

void check_filters(const std::vector<Filter>& filters) {
  constexpr std::array kKnown{kDeflate, kShuffle, kFletcher32, kLzf};
  if (filters.size() > 32) throw FormatError(fmt::format("{} filters; expected 32 at most", filters.size()));
  for (const Filter& filter : filters)
    if (std::find(kKnown.begin(), kKnown.end(), filter.id) == kKnown.end())
      throw UnsupportedError(
          fmt::format("is compressed by filter {}; expected gzip, shuffle, fletcher32 or lzf", filter.id));
}

std::vector<std::byte> unfiltered(Bytes stored, const std::vector<Filter>& filters, std::uint32_t mask,
                                  std::uint64_t size) {
  // The checksum of what a filter before it gives is four bytes more than that.
  std::vector<std::uint64_t> sizes{size};
  for (std::size_t i = 0; i < filters.size(); ++i)
    sizes.push_back(sizes.back() + (filters[i].id == kFletcher32 && (mask >> i & 1U) == 0 ? kChecksum : 0));
  Data data(stored.begin(), stored.end());
  for (std::size_t i = filters.size(); i-- > 0;) {
    if ((mask >> i & 1U) != 0) continue;
    switch (filters[i].id) {
      case kDeflate: data = inflate_zlib(data, sizes[i]); break;
      case kLzf: data = unpack_lzf(data, sizes[i]); break;
      case kShuffle:
        data = shuffled<true>(std::move(data), filters[i].settings.empty() ? 1 : filters[i].settings[0]);
        break;
      default: data = without_checksum(std::move(data));
    }
  }
  if (data.size() != size) throw FormatError(fmt::format("a chunk of {} bytes; expected {}", data.size(), size));
  return data;
}

std::vector<std::byte> filtered(std::vector<std::byte> chunk, const std::vector<Filter>& filters, std::uint32_t& mask) {
  mask = 0;
  for (std::size_t i = 0; i < filters.size(); ++i) {
    const std::vector<std::uint32_t>& settings = filters[i].settings;
    switch (filters[i].id) {
      case kDeflate:
        chunk = deflate_zlib(chunk, settings.empty() ? 6 : static_cast<int>(std::min(settings[0], 9U)));
        break;
      case kLzf: mask |= 1U << i; break;
      case kShuffle: chunk = shuffled<false>(std::move(chunk), settings.empty() ? 1 : settings[0]); break;
      default: chunk = with_checksum(std::move(chunk));
    }
  }
  return chunk;
}

}  // namespace shiftnorm::container::hdf5
