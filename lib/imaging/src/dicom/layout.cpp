#include "dicom/layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "dicom/fault.hpp"
#include "dicom/sniff.hpp"
#include "shiftnorm/container/inflate.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

constexpr std::uint32_t kUndefined = 0xffffffff;
constexpr std::uint32_t kItem = 0xfffee000, kItemEnd = 0xfffee00d, kSequenceEnd = 0xfffee0dd;
constexpr std::uint32_t kExtendedOffsets = 0x7fe00001, kExtendedLengths = 0x7fe00002, kFloats = 0x7fe00008,
                        kDoubles = 0x7fe00009, kIntegers = 0x7fe00010;

bool is_pixel_data(std::uint32_t tag) { return tag == kFloats || tag == kDoubles || tag == kIntegers; }

struct Encoding {
  bool explicit_vr = true, big_endian = false;
};

struct Element {
  std::uint32_t tag = 0;
  std::array<char, 2> vr{};
  std::uint32_t length = 0;
  std::uint64_t start = 0, value = 0;  ///< offsets of the tag and of the value
  [[nodiscard]] std::string_view vr_text() const { return {vr.data(), vr.size()}; }
};

std::string tag_text(std::uint32_t tag) { return fmt::format("({:04x},{:04x})", tag >> 16, tag & 0xffffU); }

/// Walks over elements; knows nothing of their meaning but sequences, items and pixel data.
class Walker {
 public:
  Walker(std::span<const std::byte> bytes, const Limits& limits, bool encapsulated)
      : bytes_(bytes), limits_(limits), encapsulated_(encapsulated), zeros_from_(bytes.size()) {
    while (zeros_from_ > 0 && bytes_[zeros_from_ - 1] == std::byte{0}) --zeros_from_;
  }

  /// The elements of a data set from `at` to `end`; `undefined`: until its item delimiter. Returns where it ends.
  std::uint64_t data_set(std::uint64_t at, std::uint64_t end, Encoding encoding, bool undefined, std::int64_t depth,
                         Layout* top) {
    while (at < end) {
      if (top != nullptr && zeros_behind(at, end, *top)) return at;
      const Element element = header(at, end, encoding);
      if (undefined && element.tag == kItemEnd) return element.value;
      if (top != nullptr && delimiter_behind(element, *top)) {
        at = element.value;
        continue;
      }
      if (element.tag >= 0xfffe0000)
        throw Fault(Reason::parse, fmt::format("{} found where an element should be", tag_text(element.tag)), at);
      if (top != nullptr) note(element, *top, encoding, end);
      at = value_end(element, end, encoding, depth, top);
    }
    if (undefined) throw Fault(Reason::truncated, "the object ends inside an item", end);
    return at;
  }

  [[nodiscard]] Element header(std::uint64_t at, std::uint64_t end, Encoding encoding) {
    if (++elements_ > limits_.elements)
      throw Fault(Reason::limit, fmt::format("more than {} elements and items", limits_.elements), at);
    Element e;
    e.start = at;
    need(at, 8, end);
    e.tag = static_cast<std::uint32_t>(u16(at, encoding)) << 16 | u16(at + 2, encoding);
    if (e.tag >> 16 == 0xfffe || !encoding.explicit_vr) {
      e.length = u32(at + 4, encoding);
      e.value = at + 8;
      return e;
    }
    e.vr = {character(at + 4), character(at + 5)};
    if (has_short_length(e.vr_text())) {
      e.length = u16(at + 6, encoding);
      e.value = at + 8;
      return e;
    }
    if (!has_long_length(e.vr_text()))
      throw Fault(Reason::parse, fmt::format("{} has an unknown value representation", tag_text(e.tag)), at);
    need(at, 12, end);
    e.length = u32(at + 8, encoding);
    e.value = at + 12;
    return e;
  }

  [[nodiscard]] std::string text(const Element& e) const {
    std::string out(reinterpret_cast<const char*>(bytes_.data() + e.value), e.length);
    while (!out.empty() && (out.back() == '\0' || out.back() == ' ')) out.pop_back();
    return out;
  }

  void check_inside(const Element& e, std::uint64_t end) const {
    if (e.length > end - e.value)
      throw Fault(Reason::truncated,
                  fmt::format("{} claims {} bytes; {} are left", tag_text(e.tag), e.length, end - e.value), e.start);
  }

  [[nodiscard]] std::uint16_t u16(std::uint64_t at, Encoding encoding) const {
    const unsigned a = byte(at), b = byte(at + 1);
    return static_cast<std::uint16_t>(encoding.big_endian ? a << 8 | b : b << 8 | a);
  }

 private:
  [[nodiscard]] unsigned byte(std::uint64_t at) const { return std::to_integer<unsigned>(bytes_[at]); }
  [[nodiscard]] char character(std::uint64_t at) const { return static_cast<char>(bytes_[at]); }
  [[nodiscard]] std::uint32_t u32(std::uint64_t at, Encoding encoding) const {
    const std::uint32_t a = u16(at, encoding), b = u16(at + 2, encoding);
    return encoding.big_endian ? a << 16 | b : b << 16 | a;
  }
  void need(std::uint64_t at, std::uint64_t count, std::uint64_t end) const {
    if (end - at < count) throw Fault(Reason::truncated, "the object ends inside an element's header", at);
  }
  /// Media and archives fill their blocks; one byte may only make a length even.
  [[nodiscard]] bool zeros_behind(std::uint64_t at, std::uint64_t end, Layout& top) const {
    if (at < zeros_from_ || at == top.data_set) return false;
    if (end - at > 1) remark(top, "zeros after the data set");
    return true;
  }
  /// A delimiter that ends nothing. Before the pixel data it would be a sign that a sequence was read wrongly.
  [[nodiscard]] static bool delimiter_behind(const Element& e, Layout& top) {
    if ((e.tag != kItemEnd && e.tag != kSequenceEnd) || e.length != 0 || !top.pixels) return false;
    remark(top, "a delimiter after the data set that closes nothing");
    return true;
  }
  static void remark(Layout& top, std::string_view what) {
    if (std::ranges::find(top.remarks, what) == top.remarks.end()) top.remarks.emplace_back(what);
  }

  /// What read_layout() wants to know about elements of the outermost data set.
  void note(const Element& e, Layout& top, Encoding encoding, std::uint64_t end) {
    constexpr std::array<std::uint32_t, 4> kDimensions{0x00280002, 0x00280008, 0x00280010, 0x00280011};
    if (std::ranges::find(kDimensions, e.tag) != kDimensions.end() && !seen_.insert(e.tag).second)
      top.has_dimensions_twice = true;
    if (e.tag == kExtendedOffsets || e.tag == kExtendedLengths) {
      check_inside(e, end);
      (e.tag == kExtendedOffsets ? top.extended_offsets : top.extended_lengths) = {e.value, e.length};
    }
    if (!is_pixel_data(e.tag)) return;
    if (top.pixels) throw Fault(Reason::parse, "pixel data appear twice", e.start);
    PixelDataPlace place;
    place.element = e.start;
    place.element_number = static_cast<std::uint16_t>(e.tag & 0xffffU);
    place.words = !encoding.explicit_vr || e.vr_text() == "OW";
    place.encapsulated = e.length == kUndefined;
    if (place.encapsulated && !top.syntax_told)
      throw Fault(Reason::unsupported_transfer_syntax, "compressed pixel data, and no meta header that says how",
                  e.start);
    if (place.encapsulated != (encapsulated_ && e.tag == kIntegers))
      throw Fault(Reason::parse, "pixel data are not packed as the transfer syntax says", e.start);
    if (!place.encapsulated) {
      check_inside(e, end);
      place.value = {e.value, e.length};
    }
    top.pixels = std::move(place);
  }

  std::uint64_t value_end(const Element& e, std::uint64_t end, Encoding encoding, std::int64_t depth, Layout* top) {
    const bool pixels = is_pixel_data(e.tag);
    if (e.length == kUndefined) {
      if (e.tag == kIntegers && encapsulated_)
        return fragments(e, end, encoding, top != nullptr && top->pixels ? &*top->pixels : nullptr);
      const bool sequence = !encoding.explicit_vr || e.vr_text() == "SQ" || e.vr_text() == "UN";
      if (!sequence)
        throw Fault(Reason::parse, fmt::format("{} has undefined length and is not a sequence", tag_text(e.tag)),
                    e.start);
      // PS3.5 6.2.2: the contents of UN of undefined length are implicit little endian.
      const Encoding inner = encoding.explicit_vr && e.vr_text() == "UN" ? Encoding{false, false} : encoding;
      return items(e.value, end, inner, true, depth + 1);
    }
    check_inside(e, end);
    if (!pixels && e.length > limits_.element_bytes)
      throw Fault(Reason::limit,
                  fmt::format("{} has {} bytes; expected at most {}", tag_text(e.tag), e.length, limits_.element_bytes),
                  e.start);
    const std::uint64_t value_end = e.value + e.length;
    if (encoding.explicit_vr && e.vr_text() == "SQ") {
      return std::max(value_end, items(e.value, value_end, encoding, false, depth + 1));
    } else if (!pixels && (!encoding.explicit_vr || e.vr_text() == "UN") && begins_as_items(e, encoding)) {
      // It may be a sequence or bytes that only look like one: how deep it is counts, whether it is sound does not.
      try {
        items(e.value, value_end, {false, encoding.big_endian && !encoding.explicit_vr}, false, depth + 1);
      } catch (const Fault& fault) {
        if (fault.reason() == Reason::limit) throw;
      }
    }
    return value_end;
  }

  [[nodiscard]] bool begins_as_items(const Element& e, Encoding encoding) const {
    return e.length >= 8 && u16(e.value, {false, encoding.big_endian}) == 0xfffe &&
           u16(e.value + 2, {false, encoding.big_endian}) == 0xe000;
  }

  std::uint64_t items(std::uint64_t at, std::uint64_t end, Encoding encoding, bool undefined, std::int64_t depth) {
    if (depth > limits_.depth)
      throw Fault(Reason::limit, fmt::format("sequences nested deeper than {}", limits_.depth), at);
    while (at < end) {
      const Element item = header(at, end, encoding);
      if (undefined && item.tag == kSequenceEnd) return item.value;
      if (item.tag != kItem)
        throw Fault(Reason::parse, fmt::format("{} found where an item should be", tag_text(item.tag)), at);
      if (item.length == kUndefined) {
        at = data_set(item.value, end, encoding, true, depth, nullptr);
      } else {
        // A wrong item length may reach past its sequence or past the object: what it swallows is its own. An image
        // whose pixel data went that way is found to have none.
        const std::uint64_t claimed = item.value + item.length;
        at = data_set(item.value, std::min<std::uint64_t>(claimed, bytes_.size()), encoding, false, depth, nullptr);
      }
    }
    if (undefined) throw Fault(Reason::truncated, "the object ends inside a sequence", end);
    return at;
  }

  /// PS3.5 A.4: an offset table, fragments, a sequence delimiter. `place`: where they are noted; null: those of an
  /// icon.
  std::uint64_t fragments(const Element& e, std::uint64_t end, Encoding encoding, PixelDataPlace* place) {
    std::uint64_t at = e.value;
    std::size_t items = 0;
    while (at < end) {
      const Element item = header(at, end, encoding);
      if (item.tag == kSequenceEnd) {
        if (items == 0) throw Fault(Reason::parse, "encapsulated pixel data without an offset table", at);
        if (items == 1 && place != nullptr)
          throw Fault(Reason::parse, "encapsulated pixel data without a fragment", at);
        return item.value;
      }
      if (item.tag != kItem || item.length == kUndefined)
        throw Fault(Reason::parse, fmt::format("{} found where a fragment should be", tag_text(item.tag)), at);
      check_inside(item, end);
      const Range range{item.value, item.length};
      if (place != nullptr && items == 0) place->offset_table = range;
      if (place != nullptr && items > 0) place->fragments.push_back(range);
      ++items;
      at = item.value + item.length;
    }
    throw Fault(Reason::truncated, "the object ends inside its encapsulated pixel data", end);
  }

  std::span<const std::byte> bytes_;
  const Limits& limits_;
  bool encapsulated_;
  std::uint64_t zeros_from_;  ///< from here on there are zeros alone
  std::int64_t elements_ = 0;
  std::set<std::uint32_t> seen_;
};

/// Reads the meta group; returns where the data set begins.
std::uint64_t read_meta(std::span<const std::byte> file, std::uint64_t start, const Limits& limits, Layout& layout) {
  constexpr Encoding kMeta{true, false};
  Walker walker(file, limits, false);
  std::uint64_t offset = start;
  if (offset == file.size()) throw Fault(Reason::truncated, "the object ends after its preamble", offset);
  while (file.size() - offset >= 4 && walker.u16(offset, kMeta) == 0x0002) {
    const Element e = walker.header(offset, file.size(), kMeta);
    walker.check_inside(e, file.size());
    if (e.length > limits.element_bytes) throw Fault(Reason::limit, "a meta element is too large", offset);
    if (e.tag == 0x00020002) layout.sop_class = walker.text(e);
    if (e.tag == 0x00020003) layout.sop_instance = walker.text(e);
    if (e.tag == 0x00020010) layout.transfer_syntax = walker.text(e);
    offset = e.value + e.length;
  }
  return offset;
}

/// The whole object behind `start`; what the Walker throws is about the (inflated) data set.
void walk(std::span<const std::byte> bytes, const Limits& limits, Layout& layout) {
  const TransferSyntax& syntax = *layout.syntax;
  const bool encapsulated = syntax.packing != Packing::native;
  Walker walker(bytes, limits, encapsulated);
  layout.end =
      walker.data_set(layout.data_set, bytes.size(), {syntax.explicit_vr, syntax.big_endian}, false, 0, &layout);
}

void inflate(std::span<const std::byte> file, const Limits& limits, Layout& layout) {
  const std::span<const std::byte> packed = file.subspan(layout.data_set);
  const std::uint64_t most = std::max<std::uint64_t>(limits.inflated_floor, packed.size() * limits.inflate_ratio);
  try {
    auto data = container::inflate_stream(packed, std::min(most, limits.file_bytes));
    if (!data)
      throw Fault(Reason::limit, fmt::format("{} deflated bytes inflate to more than {}", packed.size(), most),
                  layout.data_set);
    layout.inflated = std::move(*data);
  } catch (const Fault&) {
    throw;
  } catch (const FormatError&) {
    throw Fault(Reason::parse, "the deflated data set is damaged", layout.data_set);
  }
  layout.data_set = 0;
}

}  // namespace

Layout read_layout(std::span<const std::byte> file, const Limits& limits) {
  Layout layout;
  const bool magic = has_magic(file), meta = magic || begins_with_meta(file);
  if (!meta && !may_be_data_set(file))
    throw Fault(Reason::not_dicom, "no DICM at byte 128, and it does not begin like a data set");
  if (meta) layout.data_set = read_meta(file, magic ? kMagicEnd : 0, limits, layout);
  if (!magic) layout.remarks.emplace_back(meta ? "no preamble" : "no preamble and no meta header");
  if (layout.transfer_syntax.empty()) {
    layout.syntax_told = false;
    layout.transfer_syntax = syntax_of(file.subspan(layout.data_set));
    layout.remarks.emplace_back("no transfer syntax is given: it is inferred from the data");
  }
  layout.syntax = transfer_syntax(layout.transfer_syntax);
  if (layout.syntax == nullptr)
    throw Fault(Reason::unsupported_transfer_syntax, "an unknown or private transfer syntax");
  if (layout.syntax->deflated) inflate(file, limits, layout);
  try {
    walk(layout.syntax->deflated ? std::span<const std::byte>(layout.inflated) : file, limits, layout);
  } catch (const Fault& fault) {
    if (meta || fault.reason() == Reason::limit || is_data_set(file)) throw;
    throw Fault(Reason::not_dicom, "it begins like a data set but does not continue as one", fault.offset());
  }
  return layout;
}

}  // namespace shiftnorm::imaging::dicom
