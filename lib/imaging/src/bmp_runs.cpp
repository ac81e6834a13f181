#include "bmp_runs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "image_header.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging {
namespace {

constexpr std::uint8_t kEndOfRow = 0, kEndOfPicture = 1, kJump = 2;  // second byte after a zero; others count pixels

class Expansion {
 public:
  Expansion(std::span<const std::byte> file, const BmpHeader& header)
      : file_(file, Codec::bmp, false),
        at_(header.data_at),
        width_(static_cast<std::size_t>(header.width)),
        height_(static_cast<std::size_t>(header.height)),
        halves_(header.compression == BmpCompression::runs4) {}

  std::vector<std::uint8_t> all() {
    while (rows_ < height_) {
      const std::uint8_t count = next(), value = next();
      if (count > 0) {
        for (std::size_t i = 0; i < count; ++i) put(halves_ ? nibble(value, i) : value);
      } else if (value == kEndOfRow) {
        end_row();
      } else if (value == kEndOfPicture) {
        if (x_ > 0) end_row();
        break;
      } else if (value == kJump) {
        throw UnsupportedError("BMP skips pixels in its runs; supported are images with every pixel");
      } else {
        literal(value);
      }
    }
    if (rows_ < height_) throw FormatError(fmt::format("BMP runs end after {} of {} rows", rows_, height_));
    return std::move(out_);
  }

 private:
  std::uint8_t next() {
    if (at_ >= file_.size()) truncated(Codec::bmp, fmt::format("its runs end after {} of {} rows", rows_, height_));
    return file_.u8(at_++);
  }
  static std::uint8_t nibble(std::uint8_t pair, std::size_t i) {
    return static_cast<std::uint8_t>(i % 2 == 0 ? pair >> 4 : pair & 15);
  }
  void put(std::uint8_t index) {
    if (x_ == width_) return;
    out_.push_back(index);
    // The last row needs no end.
    if (++x_ == width_ && rows_ + 1 == height_) ++rows_;
  }
  void end_row() {
    if (x_ < width_)
      throw UnsupportedError(fmt::format("BMP row {} ends after {} of {} pixels; supported are images with every pixel",
                                         rows_, x_, width_));
    x_ = 0;
    ++rows_;
  }
  /// `n` pixels as they are, in whole pairs of bytes.
  void literal(std::size_t n) {
    const std::size_t bytes = halves_ ? (n + 1) / 2 : n;
    if (n > width_ - x_) throw FormatError(fmt::format("BMP row {} has more than {} pixels", rows_, width_));
    for (std::size_t i = 0; i < bytes; ++i) {
      const std::uint8_t value = next();
      if (!halves_) put(value);
      if (halves_) put(nibble(value, 0));
      if (halves_ && 2 * i + 1 < n) put(nibble(value, 1));
    }
    if (bytes % 2 == 1 && rows_ < height_) next();
  }

  Fields file_;
  std::uint64_t at_;
  std::size_t width_, height_;
  bool halves_;
  std::vector<std::uint8_t> out_;
  std::size_t x_ = 0, rows_ = 0;
};

}  // namespace

std::vector<std::uint8_t> expand_runs(std::span<const std::byte> file, const BmpHeader& header) {
  return Expansion(file, header).all();
}

}  // namespace shiftnorm::imaging
