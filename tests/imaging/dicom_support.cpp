#include "dicom_support.hpp"

namespace shiftnorm::imaging::test {
namespace {

std::string little(std::uint32_t value, int size) {
  std::string out;
  for (int i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i) & 0xffU);
  return out;
}

std::string element(std::uint32_t tag, const std::string& vr, const std::string& value) {
  const auto n = static_cast<std::uint32_t>(value.size());
  const std::string head = little(tag >> 16, 2) + little(tag & 0xffffU, 2) + vr;
  const bool wide = vr == "OB" || vr == "OW" || vr == "UN" || vr == "UT";
  return head + (wide ? little(0, 2) + little(n, 4) : little(n, 2)) + value;
}

}  // namespace

TinyObject::TinyObject(std::int64_t rows, std::int64_t columns, const std::vector<std::uint16_t>& values) {
  text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.1").text(0x00080018, "UI", "1.2.3.4").text(0x00080060, "CS", "CR");
  number(0x00280002, 1).text(0x00280004, "CS", "MONOCHROME2");
  number(0x00280010, static_cast<std::uint16_t>(rows)).number(0x00280011, static_cast<std::uint16_t>(columns));
  number(0x00280100, 16).number(0x00280101, 12).number(0x00280102, 11).number(0x00280103, 0);
  std::string pixels;
  for (const std::uint16_t v : values) pixels += little(v, 2);
  elements_[0x7fe00010] = {"OW", pixels};
}

TinyObject& TinyObject::text(std::uint32_t tag, const std::string& vr, const std::string& value) {
  std::string padded = value;
  if (padded.size() % 2 != 0) padded += vr == "UI" ? '\0' : ' ';
  elements_[tag] = {vr, padded};
  return *this;
}

TinyObject& TinyObject::number(std::uint32_t tag, std::uint16_t value) {
  elements_[tag] = {"US", little(value, 2)};
  return *this;
}

TinyObject& TinyObject::without(std::uint32_t tag) {
  elements_.erase(tag);
  return *this;
}

std::vector<std::byte> TinyObject::bytes() const {
  std::string file(128, '\0');
  file += "DICM" + element(0x00020010, "UI", std::string("1.2.840.10008.1.2.1\0", 20));
  for (const auto& [tag, e] : elements_) file += element(tag, e.vr, e.value);
  const auto* begin = reinterpret_cast<const std::byte*>(file.data());
  return {begin, begin + file.size()};
}

}  // namespace shiftnorm::imaging::test
