#include "dicom/attributes.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcelem.h>
#include <dcmtk/dcmdata/dcitem.h>

#include <charconv>
#include <cmath>

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

std::optional<std::int64_t> unsigned_number(DcmItem& item, const DcmTagKey& key) {
  Uint16 value = 0;
  if (item.findAndGetUint16(key, value).bad()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> stored_number(DcmItem& item, const DcmTagKey& key, bool is_signed) {
  const std::vector<std::uint16_t> values = words(item, key);
  if (values.empty()) return std::nullopt;
  if (is_signed || is_signed_short(item, key)) return static_cast<std::int16_t>(values[0]);
  return values[0];
}

std::vector<std::uint16_t> words(DcmItem& item, const DcmTagKey& key) {
  DcmElement* found = element(item, key);
  if (found == nullptr || found->getLengthField() == 0) return {};
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

DcmItem* item_of(DcmItem& item, const DcmTagKey& key, std::int64_t index) {
  DcmItem* found = nullptr;
  return item.findAndGetSequenceItem(key, found, static_cast<signed long>(index)).good() ? found : nullptr;
}

std::optional<double> decimal(const std::string& given) {
  const char* begin = given.c_str();
  const char* end = begin + given.size();
  if (begin != end && *begin == '+') ++begin;
  double value = 0;
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (error != std::errc{} || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

}  // namespace shiftnorm::imaging::dicom
