#include "dicom_support.hpp"

namespace shiftnorm::imaging::test {
namespace {

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

std::string padded(std::string value, char with) {
  if (value.size() % 2 != 0) value += with;
  return value;
}

std::string tag_bytes(std::uint32_t tag) { return little(tag >> 16, 2) + little(tag & 0xffffU, 2); }

}  // namespace

std::string little(std::uint64_t value, int size) {
  std::string out;
  for (int i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i) & 0xffU);
  return out;
}

std::string item(const std::string& value) { return tag_bytes(0xfffee000) + little(value.size(), 4) + value; }

std::string element(std::uint32_t tag, const std::string& vr, const std::string& value) {
  const bool wide = vr == "OB" || vr == "OW" || vr == "OV" || vr == "SQ" || vr == "UN" || vr == "UT" || vr == "UV";
  return tag_bytes(tag) + vr + (wide ? little(0, 2) + little(value.size(), 4) : little(value.size(), 2)) + value;
}

TinyObject::TinyObject(std::int64_t rows, std::int64_t columns, const std::vector<std::uint16_t>& values) {
  text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.1").text(0x00080018, "UI", "1.2.3.4").text(0x00080060, "CS", "CR");
  number(0x00280002, 1).text(0x00280004, "CS", "MONOCHROME2");
  number(0x00280010, static_cast<std::uint16_t>(rows)).number(0x00280011, static_cast<std::uint16_t>(columns));
  number(0x00280100, 16).number(0x00280101, 12).number(0x00280102, 11).number(0x00280103, 0);
  std::string pixels;
  for (const std::uint16_t v : values) pixels += little(v, 2);
  elements_[kPixels] = {"OW", pixels};
  meta(0x00020010, "1.2.840.10008.1.2.1");
}

TinyObject& TinyObject::text(std::uint32_t tag, const std::string& vr, const std::string& value) {
  elements_[tag] = {vr, padded(value, vr == "UI" ? '\0' : ' ')};
  return *this;
}

TinyObject& TinyObject::number(std::uint32_t tag, std::uint16_t value) {
  elements_[tag] = {"US", little(value, 2)};
  return *this;
}

TinyObject& TinyObject::raw(std::uint32_t tag, const std::string& vr, const std::string& value) {
  elements_[tag] = {vr, value};
  return *this;
}

TinyObject& TinyObject::without(std::uint32_t tag) {
  elements_.erase(tag);
  meta_.erase(tag);
  return *this;
}

TinyObject& TinyObject::packed(const std::string& syntax, const std::string& table,
                               const std::vector<std::string>& fragments) {
  std::string value = item(table);
  for (const std::string& fragment : fragments) value += item(padded(fragment, '\0'));
  elements_[kPixels] = {"", value + tag_bytes(0xfffee0dd) + little(0, 4)};  // of undefined length
  return meta(0x00020010, syntax);
}

TinyObject& TinyObject::meta(std::uint32_t tag, const std::string& value) {
  meta_[tag] = padded(value, '\0');
  return *this;
}

std::string TinyObject::meta_header() const {
  std::string out;
  for (const auto& [tag, value] : meta_) out += element(tag, "UI", value);
  return out;
}

std::string TinyObject::body(bool explicit_vr) const {
  std::string out;
  for (const auto& [tag, e] : elements_) {
    if (e.vr.empty())
      out += tag_bytes(tag) + (explicit_vr ? std::string("OB\0\0", 4) : "") + little(0xffffffff, 4) + e.value;
    else
      out += explicit_vr ? element(tag, e.vr, e.value) : tag_bytes(tag) + little(e.value.size(), 4) + e.value;
  }
  return out;
}

std::vector<std::byte> TinyObject::bytes() const {
  std::string preamble(128, '\0');
  preamble.append("DICM").append(meta_header()).append(body(true));
  return bytes_of(preamble);
}
std::vector<std::byte> TinyObject::without_preamble() const { return bytes_of(meta_header() + body(true)); }
std::vector<std::byte> TinyObject::data_set() const { return bytes_of(body(true)); }
std::vector<std::byte> TinyObject::implicit_data_set() const { return bytes_of(body(false)); }

}  // namespace shiftnorm::imaging::test
