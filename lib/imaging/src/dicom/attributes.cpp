#include "dicom/attributes.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcelem.h>
#include <dcmtk/dcmdata/dcitem.h>
#include <dcmtk/dcmdata/dcsequen.h>

#include <cmath>
#include <string_view>

#include "shiftnorm/core/parse.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

DcmElement* element(DcmItem& item, const DcmTagKey& key) {
  DcmElement* found = nullptr;
  return item.findAndGetElement(key, found).good() ? found : nullptr;
}

std::string trimmed(std::string text) {
  const auto padding = [](char c) { return c == ' ' || c == '\0'; };
  while (!text.empty() && padding(text.back())) text.pop_back();
  std::size_t begin = 0;
  while (begin < text.size() && padding(text[begin])) ++begin;
  return text.substr(begin);
}

template <class T>
std::optional<double> read_at(OFCondition (DcmElement::*get)(T&, unsigned long), DcmElement& from, unsigned long i) {
  T value{};
  if ((from.*get)(value, i).bad() || !std::isfinite(static_cast<double>(value))) return std::nullopt;
  return static_cast<double>(value);
}

/// A number whose value representation was lost: little endian, as implicit VR is.
std::optional<double> number_of_bytes(DcmElement& from) {
  const std::uint32_t n = from.getLengthField();
  Uint8* bytes = nullptr;
  if ((n != 2 && n != 4) || from.getUint8Array(bytes).bad() || bytes == nullptr) return std::nullopt;
  std::uint32_t value = 0;
  for (std::uint32_t i = n; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

std::optional<double> number_at(DcmElement& from, unsigned long i) {
  switch (from.ident()) {
    case EVR_US:
    case EVR_xs:
    case EVR_lt:
    case EVR_OW: return read_at(&DcmElement::getUint16, from, i);
    case EVR_SS: return read_at(&DcmElement::getSint16, from, i);
    case EVR_UL:
    case EVR_up: return read_at(&DcmElement::getUint32, from, i);
    case EVR_SL: return read_at(&DcmElement::getSint32, from, i);
    case EVR_UV: return read_at(&DcmElement::getUint64, from, i);
    case EVR_SV: return read_at(&DcmElement::getSint64, from, i);
    case EVR_FL: return read_at(&DcmElement::getFloat32, from, i);
    case EVR_FD: return read_at(&DcmElement::getFloat64, from, i);
    case EVR_OB:
    case EVR_UN: return i == 0 ? number_of_bytes(from) : std::nullopt;
    default: break;
  }
  OFString text;
  if (from.getOFString(text, i).bad()) return std::nullopt;
  return decimal(trimmed({text.c_str(), text.size()}));
}

/// Elements whose values are words, and those of bytes that represent words.
bool is_16_bits(DcmElement& e) {
  switch (e.ident()) {
    case EVR_US:
    case EVR_SS:
    case EVR_OW:
    case EVR_OB:
    case EVR_UN:
    case EVR_xs:
    case EVR_lt:
    case EVR_ox: return true;
    default: return false;
  }
}

/// Nothing if one is not a number of 16 bits, of either sign.
std::vector<std::uint16_t> narrowed(const std::vector<std::optional<double>>& values) {
  std::vector<std::uint16_t> out;
  for (const std::optional<double>& value : values) {
    if (!value || *value < -32768 || *value > 65535 || *value != std::floor(*value)) return {};
    out.push_back(static_cast<std::uint16_t>(static_cast<std::int32_t>(*value)));
  }
  return out;
}

}  // namespace

std::vector<std::string> texts(DcmItem& item, const DcmTagKey& key) {
  std::vector<std::string> out;
  DcmElement* found = element(item, key);
  if (found == nullptr) return out;
  const unsigned long n = found->getVM();
  for (unsigned long i = 0; i < n; ++i) {
    OFString value;
    if (found->getOFString(value, i).bad()) break;
    out.push_back(trimmed({value.c_str(), value.size()}));
  }
  return out;
}

std::string text(DcmItem& item, const DcmTagKey& key, std::size_t index) {
  const std::vector<std::string> all = texts(item, key);
  return index < all.size() ? all[index] : std::string();
}

std::vector<std::optional<double>> numbers(DcmItem& item, const DcmTagKey& key) {
  std::vector<std::optional<double>> out;
  DcmElement* found = element(item, key);
  if (found == nullptr || found->getLengthField() == 0) return out;
  const unsigned long n = found->getVM();
  for (unsigned long i = 0; i < n; ++i) out.push_back(number_at(*found, i));
  return out;
}

std::optional<std::int64_t> unsigned_number(DcmItem& item, const DcmTagKey& key) {
  const std::vector<std::optional<double>> all = numbers(item, key);
  constexpr double kMost = 1e15;  // every whole number up to it is a double
  if (all.empty() || !all[0] || *all[0] < 0 || *all[0] > kMost || *all[0] != std::floor(*all[0])) return std::nullopt;
  return static_cast<std::int64_t>(*all[0]);
}

std::optional<std::int64_t> stored_number(DcmItem& item, const DcmTagKey& key, bool is_signed) {
  DcmElement* found = element(item, key);
  if (found == nullptr || found->getLengthField() == 0) return std::nullopt;
  if (is_16_bits(*found)) {
    const std::vector<std::uint16_t> values = words(item, key);
    if (values.empty()) return std::nullopt;
    if (is_signed || is_signed_short(item, key)) return static_cast<std::int16_t>(values[0]);
    return values[0];
  }
  const std::optional<double> value = number_at(*found, 0);
  if (!value || std::abs(*value) > 4294967295.0 || *value != std::floor(*value)) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

std::vector<std::uint16_t> words(DcmItem& item, const DcmTagKey& key) {
  DcmElement* found = element(item, key);
  if (found == nullptr || found->getLengthField() == 0) return {};
  if (!is_16_bits(*found)) return narrowed(numbers(item, key));
  const std::size_t n = found->getLengthField() / 2;
  if (found->ident() == EVR_SS) {
    Sint16* values = nullptr;
    if (found->getSint16Array(values).good() && values != nullptr) return {values, values + n};
    return {};
  }
  Uint16* values = nullptr;
  if (found->getUint16Array(values).good() && values != nullptr) return {values, values + n};
  Uint8* bytes = nullptr;
  std::vector<std::uint16_t> out;
  if (found->getUint8Array(bytes).good() && bytes != nullptr)
    for (std::size_t i = 0; i < n; ++i) out.push_back(static_cast<std::uint16_t>(bytes[2 * i] | bytes[2 * i + 1] << 8));
  return out;
}

bool is_signed_short(DcmItem& item, const DcmTagKey& key) {
  const DcmElement* found = element(item, key);
  return found != nullptr && const_cast<DcmElement*>(found)->ident() == EVR_SS;
}

bool has_value(DcmItem& item, const DcmTagKey& key) {
  DcmElement* found = element(item, key);
  return found != nullptr && found->getLengthField() > 0;
}

bool is_empty(DcmItem& item) {
  for (unsigned long i = 0; i < item.card(); ++i) {
    DcmElement* e = item.getElement(i);
    auto* sequence = dynamic_cast<DcmSequenceOfItems*>(e);
    if (sequence != nullptr ? sequence->card() > 0 : e != nullptr && e->getLengthField() > 0) return false;
  }
  return true;
}

DcmItem* item_of(DcmItem& item, const DcmTagKey& key, std::int64_t index) {
  DcmItem* found = nullptr;
  return item.findAndGetSequenceItem(key, found, static_cast<signed long>(index)).good() ? found : nullptr;
}

std::optional<double> decimal(const std::string& given) {
  double value = 0;
  if (!parse_whole(std::string_view(given).substr(given.starts_with('+') ? 1 : 0), value) || !std::isfinite(value))
    return std::nullopt;
  return value;
}

}  // namespace shiftnorm::imaging::dicom
