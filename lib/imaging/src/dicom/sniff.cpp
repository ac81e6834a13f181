#include "dicom/sniff.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "dicom/transfer_syntax.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

constexpr std::array<std::string_view, 13> kLongForms{"OB", "OD", "OF", "OL", "OV", "OW", "SQ",
                                                      "SV", "UC", "UN", "UR", "UT", "UV"};
constexpr std::array<std::string_view, 21> kShortForms{"AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO",
                                                       "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US"};

/// The head of a data set in one of the three uncompressed encodings.
class Head {
 public:
  explicit Head(std::span<const std::byte> bytes)
      : bytes_(bytes), big_endian_(u8(0) == 0 && u8(1) == 8), explicit_vr_(letter(4) && letter(5)) {}

  [[nodiscard]] bool begins_well() const {
    return bytes_.size() >= 16 && u16(0) == 8 && u16(2) <= 0x18 && (explicit_vr_ || !big_endian_);
  }
  [[nodiscard]] std::string_view syntax() const {
    if (!explicit_vr_) return kImplicitLittleEndian;
    return big_endian_ ? kExplicitBigEndian : kExplicitLittleEndian;
  }
  /// Elements in ascending order until the class is found.
  [[nodiscard]] bool tells_class() const {
    constexpr std::uint32_t kSopClass = 0x00080016;
    std::uint32_t last = 0;
    for (std::size_t at = 0; at + 12 <= bytes_.size();) {
      const std::uint32_t tag = std::uint32_t{u16(at)} << 16 | u16(at + 2);
      if (tag > kSopClass || (at > 0 && tag <= last)) return false;
      std::size_t value = at + 8, length = 0;
      if (explicit_vr_) {
        const std::string_view vr(reinterpret_cast<const char*>(bytes_.data()) + at + 4, 2);
        if (!has_short_length(vr) && !has_long_length(vr)) return false;
        if (has_long_length(vr)) value += 4;
        length = has_long_length(vr) ? u32(at + 8) : u16(at + 6);
      } else {
        length = u32(at + 4);
      }
      if (length > bytes_.size() - value) return false;
      if (tag == kSopClass) return is_uid(bytes_.subspan(value, length));
      last = tag;
      at = value + length;
    }
    return false;
  }

 private:
  [[nodiscard]] unsigned u8(std::size_t at) const {
    return at < bytes_.size() ? std::to_integer<unsigned>(bytes_[at]) : 0U;
  }
  [[nodiscard]] bool letter(std::size_t at) const { return u8(at) >= 'A' && u8(at) <= 'Z'; }
  [[nodiscard]] std::uint16_t u16(std::size_t at) const {
    const unsigned a = u8(at), b = u8(at + 1);
    return static_cast<std::uint16_t>(big_endian_ ? a << 8 | b : b << 8 | a);
  }
  [[nodiscard]] std::uint32_t u32(std::size_t at) const {
    const std::uint32_t a = u16(at), b = u16(at + 2);
    return big_endian_ ? a << 16 | b : b << 16 | a;
  }
  [[nodiscard]] static bool is_uid(std::span<const std::byte> value) {
    if (!value.empty() && value.back() == std::byte{0}) value = value.first(value.size() - 1);
    return value.size() >= 3 && std::ranges::all_of(value, [](std::byte b) {
             const char c = static_cast<char>(b);
             return c == '.' || (c >= '0' && c <= '9');
           });
  }

  std::span<const std::byte> bytes_;
  bool big_endian_, explicit_vr_;
};

}  // namespace

bool has_short_length(std::string_view vr) { return std::ranges::find(kShortForms, vr) != kShortForms.end(); }
bool has_long_length(std::string_view vr) { return std::ranges::find(kLongForms, vr) != kLongForms.end(); }

bool has_magic(std::span<const std::byte> head) {
  constexpr std::string_view kMagic = "DICM";
  return head.size() >= kMagicEnd && std::ranges::equal(head.subspan(kMagicEnd - kMagic.size(), kMagic.size()), kMagic,
                                                        [](std::byte b, char c) { return static_cast<char>(b) == c; });
}

bool begins_with_meta(std::span<const std::byte> head) {
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(head[i]); };
  return head.size() >= 8 && at(0) == 2 && at(1) == 0 && at(2) <= 0x16 && at(3) == 0 && at(4) >= 'A' && at(4) <= 'Z' &&
         at(5) >= 'A' && at(5) <= 'Z';
}

bool may_be_data_set(std::span<const std::byte> head) { return Head(head).begins_well(); }
bool is_data_set(std::span<const std::byte> head) { return Head(head).begins_well() && Head(head).tells_class(); }
std::string_view syntax_of(std::span<const std::byte> data_set) { return Head(data_set).syntax(); }

}  // namespace shiftnorm::imaging::dicom
