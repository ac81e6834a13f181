#include "shiftnorm/imaging/attributes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {
namespace {

/// A tube's voltage is a setting near which it stays: 119.8 and 120 are one.
std::string rounded(const std::string& number) {
  double value = 0;
  return parse_whole(number, value) && std::isfinite(value) ? fmt::format("{:.0f}", value) : number;
}

}  // namespace

std::string comparable_value(std::string_view key, std::string_view value) {
  if (key == "KVP") return rounded(comparable_value({}, value));
  std::string out;
  for (const char c : value) {
    const bool blank = static_cast<unsigned char>(c) <= 0x20;
    if (blank && (out.empty() || out.back() == ' ')) continue;
    out += blank ? ' ' : c;
  }
  if (out.ends_with(' ')) out.pop_back();
  return out.empty() ? "unknown" : lower_case(std::move(out));
}

bool names_site(std::string_view column) {
  constexpr std::array<std::string_view, 29> kWords{
      "institution", "station", "hospital",  "clinic",    "site",   "center",    "centre", "department",
      "address",     "city",    "country",   "name",      "person", "physician", "doctor", "operator",
      "serial",      "patient", "uid",       "accession", "birth",  "date",      "time",   "description",
      "comment",     "diagnos", "admission", "number",    "history"};
  if (names_nobody(column)) return false;
  const std::string lower = comparable_value({}, column);
  // An attribute by its number, and what ends as PatientID does, hold nothing that could be weighed.
  if (lower.find(',') != std::string::npos || column.ends_with("ID")) return true;
  return std::ranges::any_of(kWords, [&](std::string_view word) {
    // "ManufacturerModelName" names a make of scanner, not one of them.
    return lower.find(word) != std::string::npos && !(word == "name" && lower.find("model") != std::string::npos);
  });
}

}  // namespace shiftnorm::imaging
