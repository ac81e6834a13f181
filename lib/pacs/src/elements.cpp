#include "elements.hpp"

#include <algorithm>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::pacs {
namespace {

constexpr std::uint32_t kUndefined = 0xFFFFFFFF;
constexpr Tag kItem = 0xFFFEE000, kItemEnd = 0xFFFEE00D, kSequenceEnd = 0xFFFEE0DD;

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : left_(bytes) {}
  [[nodiscard]] bool empty() const { return left_.empty(); }
  [[nodiscard]] std::uint32_t take_number(std::size_t bytes) {
    std::uint32_t value = 0;
    const auto part = take(bytes);
    for (std::size_t i = 0; i < bytes; ++i) value |= std::to_integer<std::uint32_t>(part[i]) << (8 * i);
    return value;
  }
  [[nodiscard]] Tag take_tag() {
    const std::uint32_t group = take_number(2);
    return group << 16 | take_number(2);
  }
  std::span<const std::byte> take(std::size_t bytes) {
    if (bytes > left_.size()) throw FormatError("a data set ends inside an element; expected its whole value");
    const auto part = left_.first(bytes);
    left_ = left_.subspan(bytes);
    return part;
  }

 private:
  std::span<const std::byte> left_;
};

}  // namespace

std::string encode(const Elements& elements) {
  std::string out;
  for (const auto& [tag, value] : elements) {
    put(out, tag >> 16, 2);
    put(out, tag & 0xFFFF, 2);
    put(out, value.size(), 4);
    out += value;
  }
  return out;
}

Elements decode(std::span<const std::byte> bytes) {
  Elements elements;
  Reader reader(bytes);
  // How many values of undefined length are open: their ends are marked, so counting is all that nesting takes.
  std::size_t open = 0;
  while (!reader.empty()) {
    const Tag tag = reader.take_tag();
    const std::uint32_t length = reader.take_number(4);
    if (tag == kItemEnd || tag == kSequenceEnd) {
      if (open == 0) throw FormatError("a data set closes a sequence that it did not open");
      --open;
    } else if (length == kUndefined) {
      if (tag == kItem && open == 0) throw FormatError("a data set holds an item outside a sequence");
      ++open;
    } else {
      const auto value = reader.take(length);
      if (open == 0) elements[tag].assign(reinterpret_cast<const char*>(value.data()), value.size());
    }
  }
  if (open != 0) throw FormatError("a data set ends inside a sequence; expected its end");
  return elements;
}

std::string padded_text(std::string_view text) {
  std::string value(text);
  if (value.size() % 2 != 0) value += ' ';
  return value;
}

std::string padded_uid(std::string_view uid) {
  std::string value(uid);
  if (value.size() % 2 != 0) value += '\0';
  return value;
}

std::string number(std::uint16_t value) {
  std::string out;
  put(out, value, 2);
  return out;
}

std::string text_of(const Elements& elements, Tag tag) {
  const auto found = elements.find(tag);
  if (found == elements.end()) return {};
  std::string_view text = found->second;
  const auto padding = [](char c) { return c == ' ' || c == '\0'; };
  while (!text.empty() && padding(text.back())) text.remove_suffix(1);
  while (!text.empty() && padding(text.front())) text.remove_prefix(1);
  return std::string(text);
}

std::optional<std::uint16_t> number_of(const Elements& elements, Tag tag) {
  const auto found = elements.find(tag);
  if (found == elements.end() || found->second.size() != 2) return std::nullopt;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(found->second[i])); };
  return static_cast<std::uint16_t>(byte(0) | byte(1) << 8);
}

bool is_uid(std::string_view text) {
  constexpr std::size_t kLongest = 64;  // PS3.5, VR UI
  return !text.empty() && text.size() <= kLongest &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

}  // namespace shiftnorm::pacs
