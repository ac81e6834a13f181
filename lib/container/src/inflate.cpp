#include "inflate.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>

#include "shiftnorm/container/inflate.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::container {
namespace {

// A DEFLATE match of 258 bytes costs 2 bits at best: 1032 bytes out of one.
constexpr std::uint64_t kMaxRatio = 1032;
constexpr std::uint64_t kMaxPiece = std::numeric_limits<uInt>::max();

/// Owns zlib's state.
class Inflater {
 public:
  enum class Wrapping { none, zlib };
  explicit Inflater(Wrapping wrapping = Wrapping::none) {
    if (inflateInit2(&stream_, wrapping == Wrapping::zlib ? MAX_WBITS : -MAX_WBITS) != Z_OK)
      throw MachineError("zlib cannot start: out of memory");
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }
  /// One piece of `packed` from `in_at` into `out` from `out_at`, which both move on; zlib's state.
  int step(std::span<const std::byte> packed, std::span<std::byte> out, std::uint64_t& in_at, std::uint64_t& out_at) {
    const uInt in_piece = static_cast<uInt>(std::min(packed.size() - in_at, kMaxPiece));
    const uInt out_piece = static_cast<uInt>(std::min(out.size() - out_at, kMaxPiece));
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data() + in_at));
    stream_.avail_in = in_piece;
    stream_.next_out = reinterpret_cast<Bytef*>(out.data() + out_at);
    stream_.avail_out = out_piece;
    const int state = ::inflate(&stream_, Z_NO_FLUSH);
    in_at += in_piece - stream_.avail_in;
    out_at += out_piece - stream_.avail_out;
    return state;
  }

 private:
  z_stream stream_{};
};

std::vector<std::byte> inflate_all(std::span<const std::byte> packed, std::uint64_t size, Inflater::Wrapping wrapping) {
  if (size / kMaxRatio > packed.size())
    throw FormatError(fmt::format("{} compressed bytes cannot hold the {} promised", packed.size(), size));
  // One byte of room more than promised: data that hold more are noticed.
  std::vector<std::byte> out(size + 1);
  Inflater inflater(wrapping);
  std::uint64_t in_at = 0, out_at = 0;
  int state = Z_OK;
  while (state == Z_OK) {
    state = inflater.step(packed, out, in_at, out_at);
  }
  if (out_at > size) throw FormatError(fmt::format("compressed data hold more than the {} bytes promised", size));
  if (state != Z_STREAM_END)
    throw FormatError(fmt::format("compressed data are damaged after {} of {} bytes", out_at, size));
  if (out_at < size) throw FormatError(fmt::format("compressed data hold {} bytes; expected {}", out_at, size));
  if (in_at != packed.size())
    throw FormatError(fmt::format("compressed data end after {} of {} bytes", in_at, packed.size()));
  out.resize(size);
  return out;
}

}  // namespace

std::vector<std::byte> inflate_raw(std::span<const std::byte> packed, std::uint64_t size) {
  return inflate_all(packed, size, Inflater::Wrapping::none);
}

std::vector<std::byte> inflate_zlib(std::span<const std::byte> packed, std::uint64_t size) {
  return inflate_all(packed, size, Inflater::Wrapping::zlib);
}

std::vector<std::byte> deflate_zlib(std::span<const std::byte> data, int level) {
  uLongf size = compressBound(data.size());
  std::vector<std::byte> out(size);
  if (compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(data.data()), data.size(),
                level) != Z_OK)
    throw MachineError("zlib cannot compress: out of memory");
  out.resize(size);
  return out;
}

std::optional<std::vector<std::byte>> inflate_stream(std::span<const std::byte> packed, std::uint64_t limit) {
  constexpr std::size_t kStep = std::size_t{1} << 20;
  std::vector<std::byte> out;
  Inflater inflater;
  std::uint64_t in_at = 0, out_at = 0;
  int state = Z_OK;
  while (state == Z_OK) {
    if (out_at > limit) return std::nullopt;
    if (out_at == out.size()) out.resize(out.size() + kStep);
    state = inflater.step(packed, out, in_at, out_at);
  }
  if (state != Z_STREAM_END) throw FormatError(fmt::format("compressed data are damaged after {} bytes", out_at));
  if (out_at > limit) return std::nullopt;
  out.resize(out_at);
  return out;
}

}  // namespace shiftnorm::container
