#include "shiftnorm/core/text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>

namespace shiftnorm {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, substituted});
    }
  }
  return row.back();
}

/// Well-formed UTF-8 (Unicode Standard, table 3-7): the lead byte decides the length and the range of the second byte.
struct Utf8Row {
  std::uint8_t first_lead, last_lead;
  std::size_t length;
  std::uint8_t second_low, second_high;
};
constexpr std::array<Utf8Row, 9> kUtf8{{{0x00, 0x7f, 1, 0, 0},
                                        {0xc2, 0xdf, 2, 0x80, 0xbf},
                                        {0xe0, 0xe0, 3, 0xa0, 0xbf},
                                        {0xe1, 0xec, 3, 0x80, 0xbf},
                                        {0xed, 0xed, 3, 0x80, 0x9f},
                                        {0xee, 0xef, 3, 0x80, 0xbf},
                                        {0xf0, 0xf0, 4, 0x90, 0xbf},
                                        {0xf1, 0xf3, 4, 0x80, 0xbf},
                                        {0xf4, 0xf4, 4, 0x80, 0x8f}}};

/// Length of the valid UTF-8 sequence at the start of `text`, 0 if there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const auto row = std::find_if(kUtf8.begin(), kUtf8.end(),
                                [&](const Utf8Row& r) { return byte(0) >= r.first_lead && byte(0) <= r.last_lead; });
  if (row == kUtf8.end() || row->length > text.size()) return 0;
  if (row->length > 1 && (byte(1) < row->second_low || byte(1) > row->second_high)) return 0;
  for (std::size_t i = 2; i < row->length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  return row->length;
}

/// C0 controls, DEL, and the C1 controls U+0080 to U+009F, which some terminals obey too.
bool is_control(std::string_view character) {
  const auto lead = static_cast<std::uint8_t>(character[0]);
  if (character.size() == 1) return lead < 0x20 || lead == 0x7f;
  return lead == 0xc2 && static_cast<std::uint8_t>(character[1]) < 0xa0;
}

}  // namespace

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
  std::string best;
  std::size_t best_distance = SIZE_MAX;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > 256 || word.size() > 256) continue;
    const std::size_t distance = edit_distance(word, candidate);
    const std::size_t allowed = std::max<std::size_t>(2, std::max(word.size(), candidate.size()) / 3);
    if (distance <= allowed && distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string join(std::span<const std::string> items, std::size_t most) {
  std::string text;
  const std::size_t shown = items.size() <= most ? items.size() : most;
  for (std::size_t i = 0; i < shown; ++i) text += (i == 0 ? "" : ", ") + items[i];
  if (shown < items.size()) text += " and " + std::to_string(items.size() - shown) + " more";
  return text;
}

std::string printable(std::string_view text, std::size_t most) {
  std::string out;
  while (!text.empty()) {
    const std::size_t n = utf8_length(text);
    const bool shown = n > 0 && !is_control(text.substr(0, n));
    const std::string_view piece = shown ? text.substr(0, n) : std::string_view("?");
    if (out.size() + piece.size() > most) return out + "...";
    out += piece;
    text.remove_prefix(std::max<std::size_t>(n, 1));
  }
  return out;
}

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

}  // namespace shiftnorm
