#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "container/bytes.hpp"

namespace shiftnorm::test {

/// A small assembler of pickles (protocol 2), by CPython's Lib/pickletools.py.
class PickleBuilder {
 public:
  PickleBuilder() { out_.u8(0x80).u8(2); }

  PickleBuilder& op(char code) {
    out_.text(std::string_view(&code, 1));
    return *this;
  }
  PickleBuilder& byte(unsigned value) {
    out_.u8(value);
    return *this;
  }
  PickleBuilder& mark() { return op('('); }
  PickleBuilder& none() { return op('N'); }
  PickleBuilder& boolean(bool v) { return byte(v ? 0x88 : 0x89); }
  PickleBuilder& integer(std::int64_t v) {
    out_.u8(0x8a).u8(8).u64(static_cast<std::uint64_t>(v));
    return *this;
  }
  PickleBuilder& real(double v) {
    op('G');  // big-endian
    const auto bits = std::bit_cast<std::uint64_t>(v);
    for (int shift = 56; shift >= 0; shift -= 8)
      byte(static_cast<unsigned>(bits >> static_cast<unsigned>(shift)) & 255U);
    return *this;
  }
  PickleBuilder& text(std::string_view v) {
    out_.text("X").u32(v.size()).text(v);
    return *this;
  }
  PickleBuilder& global(std::string_view module, std::string_view name) {
    out_.text("c").text(module).text("\n").text(name).text("\n");
    return *this;
  }
  PickleBuilder& integers(const std::vector<std::int64_t>& values) {
    mark();
    for (const std::int64_t v : values) integer(v);
    return op('t');
  }
  PickleBuilder& empty_ordered_dict() { return global("collections", "OrderedDict").op(')').op('R'); }
  PickleBuilder& raw(std::string_view code) {
    out_.text(code);
    return *this;
  }

  /// ('storage', torch.<type>, key, 'cpu', count[, None]) as a persistent id
  PickleBuilder& storage(std::string_view type, std::string_view key, std::int64_t count, bool legacy) {
    mark().text("storage").global("torch", type).text(key).text("cpu").integer(count);
    if (legacy) none();
    return op('t').op('Q');
  }

  [[nodiscard]] std::vector<std::byte> finish() const { return ByteWriter().raw(out_.bytes()).text(".").bytes(); }

 private:
  ByteWriter out_;
};

}  // namespace shiftnorm::test
