#include "npy_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

// Source: NumPy's numpy/lib/format.py and NEP 1.
namespace shiftnorm::container {
namespace {

struct TypeCode {
  std::string_view code;  // NumPy's kind and bytes
  DType dtype;
};
constexpr std::array kTypes{
    TypeCode{"f8", DType::f64}, TypeCode{"f4", DType::f32}, TypeCode{"f2", DType::f16}, TypeCode{"i8", DType::i64},
    TypeCode{"i4", DType::i32}, TypeCode{"i2", DType::i16}, TypeCode{"i1", DType::i8},  TypeCode{"u8", DType::u64},
    TypeCode{"u4", DType::u32}, TypeCode{"u2", DType::u16}, TypeCode{"u1", DType::u8},  TypeCode{"b1", DType::boolean},
};

class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  NpyHeader parse() {
    NpyHeader header;
    bool has_dtype = false, has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = parse_string();
      expect(':');
      if (key == "descr" && !has_dtype) {
        parse_dtype(header);
        has_dtype = true;
      } else if (key == "fortran_order" && !has_order) {
        header.fortran_order = parse_bool();
        has_order = true;
      } else if (key == "shape" && !has_shape) {
        header.shape = parse_shape();
        has_shape = true;
      } else {
        throw FormatError(
            fmt::format("npy: header key '{}'; expected descr, fortran_order and shape once", printable(key)));
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (!text_.empty()) fail("the end");
    if (!has_dtype || !has_order || !has_shape)
      throw FormatError("npy: the header lacks one of descr, fortran_order, shape");
    return header;
  }

 private:
  [[noreturn]] void fail(std::string_view expected) const {
    throw FormatError(fmt::format("npy: header has '{}'; expected {}", printable(text_.substr(0, 20)), expected));
  }

  void skip_space() {
    const std::size_t start = text_.find_first_not_of(" \t\n\r");
    text_.remove_prefix(start == std::string_view::npos ? text_.size() : start);
  }

  bool accept(char c) {
    skip_space();
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (!accept(c)) fail(fmt::format("'{}'", c));
  }

  std::string_view parse_string() {
    skip_space();
    if (text_.empty() || (text_[0] != '\'' && text_[0] != '"')) fail("a string");
    const std::size_t end = text_.find(text_[0], 1);
    if (end == std::string_view::npos) fail("the end of a string");
    const std::string_view value = text_.substr(1, end - 1);
    text_.remove_prefix(end + 1);
    return value;
  }

  bool parse_bool() {
    skip_space();
    for (const std::string_view word : {"True", "False"}) {
      if (!text_.starts_with(word)) continue;
      text_.remove_prefix(word.size());
      return word == "True";
    }
    fail("True or False");
  }

  std::vector<std::int64_t> parse_shape() {
    std::vector<std::int64_t> shape;
    expect('(');
    while (!accept(')')) {
      skip_space();
      std::int64_t extent = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), extent);
      if (error != std::errc()) fail("an extent");
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      if (!text_.empty() && text_[0] == 'L') text_.remove_prefix(1);  // Python 2 wrote long integers so
      shape.push_back(extent);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return shape;
  }

  void parse_dtype(NpyHeader& header) {
    skip_space();
    if (text_.starts_with('['))
      throw UnsupportedError("npy: the dtype is structured; supported are plain numbers and bool");
    const std::string_view descr = parse_string();
    if (descr.size() > 1 && (descr[0] == '<' || descr[0] == '>' || descr[0] == '|' || descr[0] == '=')) {
      const auto* const type =
          std::find_if(kTypes.begin(), kTypes.end(), [descr](const TypeCode& t) { return t.code == descr.substr(1); });
      if (type != kTypes.end()) {
        header.dtype = type->dtype;
        header.big_endian = descr[0] == '>';
        return;
      }
    }
    const std::string_view reason =
        descr.ends_with('O') || descr.substr(0, 2) == "|O" ? " (pickled objects are never read)" : "";
    throw UnsupportedError(
        fmt::format("npy: dtype '{}'{}; supported are plain numbers and bool", printable(descr), reason));
  }

  std::string_view text_;
};

}  // namespace

NpyHeader parse_npy_header(std::string_view text) { return HeaderParser(text).parse(); }

}  // namespace shiftnorm::container
