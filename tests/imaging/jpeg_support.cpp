#include "jpeg_support.hpp"

#include <cstdlib>

namespace shiftnorm::imaging::test {
namespace {

std::string big(int value, int size) {
  std::string out;
  for (int i = size; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

std::string segment(int marker, const std::string& value) {
  return big(0xff00 | marker, 2) + big(static_cast<int>(value.size()) + 2, 2) + value;
}

/// Class 0: sixteen codes of 5 bits, one for each number of bits that a difference may need. Class 1: one code of 1
/// bit, the end of a block.
std::string huffman_tables() {
  std::string differences("\0", 1), ends("\x10", 1);
  for (int length = 1; length <= 16; ++length) {
    differences += static_cast<char>(length == 5 ? 16 : 0);
    ends += static_cast<char>(length == 1 ? 1 : 0);
  }
  for (char bits = 0; bits < 16; ++bits) differences += bits;
  return segment(0xc4, differences) + segment(0xc4, ends + '\0');
}

class BitWriter {
 public:
  void put(int value, int count) {
    while (count-- > 0) {
      byte_ = byte_ << 1 | (value >> count & 1);
      if (++filled_ == 8) flush();
    }
  }
  /// The number of bits, then the bits: T.81 F.1.2.1.
  void put_difference(int difference) {
    int bits = 0;
    while (std::abs(difference) >> bits != 0) ++bits;
    put(bits, 5);
    put(difference < 0 ? difference + (1 << bits) - 1 : difference, bits);
  }
  std::string finish() {
    while (filled_ != 0) put(1, 1);
    return out_;
  }

 private:
  void flush() {
    out_ += static_cast<char>(byte_);
    if (byte_ == 0xff) out_ += '\0';
    byte_ = filled_ = 0;
  }
  std::string out_;
  int byte_ = 0, filled_ = 0;
};

struct Parts {
  int sof, precision, height, width;
  std::size_t components;
  std::array<int, 3> ids;
  std::string tables;
  int ss, se;
};

std::string stream_of(const Parts& p, const std::string& applications, const std::string& data) {
  const auto n = static_cast<int>(p.components);
  std::string frame = big(p.precision, 1) + big(p.height, 2) + big(p.width, 2) + big(n, 1), scan = big(n, 1);
  for (std::size_t c = 0; c < p.components; ++c) {
    frame += big(p.ids.at(c), 1) + big(0x11, 1) + big(0, 1);
    scan += big(p.ids.at(c), 1) + big(0, 1);
  }
  return big(0xffd8, 2) + applications + p.tables + segment(p.sof, frame) + huffman_tables() +
         segment(0xda, scan + big(p.ss, 1) + big(p.se, 1) + big(0, 1)) + data + big(0xffd9, 2);
}

}  // namespace

std::string TinyJpeg::bytes() const {
  BitWriter bits;
  const std::size_t components = blocks.at(0).size();
  std::vector<int> last(components, 0);
  for (const std::vector<int>& block : blocks)
    for (std::size_t c = 0; c < components; ++c) {
      const int level = 8 * (block[c] - (1 << (precision - 1)));
      bits.put_difference(level - last[c]);
      bits.put(0, 1);
      last[c] = level;
    }
  const std::string quantisation = segment(0xdb, std::string(1, '\0') + std::string(64, '\1'));
  return stream_of({precision == 8 ? 0xc0 : 0xc1, precision, 8, 8 * static_cast<int>(blocks.size()), components, ids,
                    quantisation, 0, se},
                   applications, bits.finish() + before_eoi);
}

std::string TinyLosslessJpeg::bytes() const {
  BitWriter bits;
  const std::size_t components = pixels.at(0).size();
  std::vector<int> last(components, 1 << (precision - 1));
  for (const std::vector<int>& pixel : pixels)
    for (std::size_t c = 0; c < components; ++c) {
      bits.put_difference(pixel[c] - last[c]);
      last[c] = pixel[c];
    }
  return stream_of({0xc3, precision, 1, static_cast<int>(pixels.size()), components, {1, 2, 3}, "", 1, 0}, applications,
                   bits.finish());
}

std::string jfif() { return segment(0xe0, std::string("JFIF\0\1\1\0\0\1\0\1\0\0", 14)); }
std::string adobe(int transform) {
  return segment(0xee, "Adobe" + std::string("\0\x64\0\0\0\0", 6) + big(transform, 1));
}

}  // namespace shiftnorm::imaging::test
