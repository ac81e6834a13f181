#include "shiftnorm/container/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::container {
namespace {

using Library = nlohmann::json;

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxValues = std::size_t{1} << 20U;

/// Reads characters and remembers how far: the library's events come without positions.
class Cursor {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Cursor(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}
  reference operator*() const { return *at_; }
  Cursor& operator++() {
    *furthest_ = ++at_;
    return *this;
  }
  Cursor operator++(int) {
    Cursor before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const Cursor& a, const Cursor& b) { return a.at_ == b.at_; }

 private:
  const char* at_;
  const char** furthest_;
};

/// Builds a Json from the library's events, with the checks that the library leaves out.
class Builder : public Library::json_sax_t {
 public:
  explicit Builder(std::string_view text) : begin_(text.data()), at_(text.data()) {}

  [[nodiscard]] const char** cursor() { return &at_; }
  [[nodiscard]] Json take() { return std::move(root_); }

  bool null() override { return add(Json()); }
  bool boolean(bool v) override { return add(Json(v)); }
  bool number_integer(number_integer_t v) override { return add(Json(static_cast<std::int64_t>(v))); }
  bool number_unsigned(number_unsigned_t v) override { return add(Json(static_cast<std::uint64_t>(v))); }
  bool number_float(number_float_t v, const string_t& /*text*/) override { return add(Json(v)); }
  bool string(string_t& v) override { return add(Json(std::move(v))); }
  bool binary(binary_t& /*v*/) override { return false; }
  bool start_object(std::size_t /*size*/) override { return open(false); }
  bool start_array(std::size_t /*size*/) override { return open(true); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& v) override {
    if (!open_.back().keys.insert(v).second) refuse(fmt::format("key '{}' is given twice", printable(v)));
    key_ = std::move(v);
    return true;
  }

  bool parse_error(std::size_t position, const std::string& last_token, const Library::exception& error) override {
    const std::string what = error.what();
    const std::size_t detail = what.find(": ");
    throw FormatError(fmt::format("JSON at byte {}: found '{}'; {}", position, printable(last_token, 40),
                                  printable(detail == std::string::npos ? what : what.substr(detail + 2))));
  }

 private:
  struct Open {
    bool is_array;
    Json::ArrayType items;
    Json::ObjectType members;
    std::unordered_set<std::string> keys;
    std::string own_key;
  };

  [[noreturn]] void refuse(const std::string& what) const {
    throw FormatError(fmt::format("JSON before byte {}: {}", at_ - begin_, what));
  }

  bool open(bool is_array) {
    if (open_.size() >= kMaxDepth) refuse(fmt::format("nesting deeper than {}", kMaxDepth));
    count();
    open_.push_back({is_array, {}, {}, {}, std::move(key_)});
    return true;
  }

  bool close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    key_ = std::move(done.own_key);
    place(done.is_array ? Json::array(std::move(done.items)) : Json::object(std::move(done.members)));
    return true;
  }

  bool add(Json value) {
    count();
    place(std::move(value));
    return true;
  }

  void count() {
    if (++values_ > kMaxValues) refuse(fmt::format("more than {} values", kMaxValues));
  }

  void place(Json value) {
    if (open_.empty())
      root_ = std::move(value);
    else if (open_.back().is_array)
      open_.back().items.push_back(std::move(value));
    else
      open_.back().members.emplace_back(std::move(key_), std::move(value));
  }

  const char* begin_;
  const char* at_;
  Json root_;
  std::vector<Open> open_;
  std::string key_;
  std::size_t values_ = 0;
};

std::string_view type_of(const Json& json) {
  return json.is_null()      ? "null"
         : json.is_bool()    ? "a boolean"
         : json.is_integer() ? "an integer"
         : json.is_number()  ? "a number with a fraction or exponent"
         : json.is_string()  ? "a string"
         : json.is_array()   ? "an array"
                             : "an object";
}

[[noreturn]] void wrong_type(const Json& found, std::string_view expected) {
  throw FormatError(fmt::format("is {}; expected {}", type_of(found), expected));
}

class Writer {
 public:
  explicit Writer(int indent) : indent_(indent) {}

  void write(const Json& json) {
    if (json.is_object())
      write_list('{', '}', json.as_object(), [this](const Json::Member& member) {
        write_string(member.first);
        text_ += indent_ < 0 ? ":" : ": ";
        write(member.second);
      });
    else if (json.is_array())
      write_list('[', ']', json.as_array(), [this](const Json& item) { write(item); });
    else if (json.is_string())
      write_string(json.as_string());
    else if (json.is_integer())
      fmt::format_to(std::back_inserter(text_), "{}", json.as_integer());
    else if (json.is_number())
      text_ += std::isfinite(json.as_number()) ? Library(json.as_number()).dump() : "null";
    else
      text_ += json.is_null() ? "null" : json.as_bool() ? "true" : "false";
  }

  std::string take() { return std::move(text_); }

 private:
  template <class Items, class WriteItem>
  void write_list(char open, char close, const Items& items, WriteItem write_item) {
    text_ += open;
    ++depth_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) text_ += ',';
      new_line();
      write_item(items[i]);
    }
    --depth_;
    if (!items.empty()) new_line();
    text_ += close;
  }

  void new_line() {
    if (indent_ < 0) return;
    text_ += '\n';
    text_.append(static_cast<std::size_t>(indent_) * depth_, ' ');
  }

  // Text that is not UTF-8 must not make writing a report fail: its bad bytes become U+FFFD.
  void write_string(const std::string& text) {
    text_ += Library(text).dump(-1, ' ', false, Library::error_handler_t::replace);
  }

  int indent_;
  std::size_t depth_ = 0;
  std::string text_;
};

}  // namespace

bool Json::as_bool() const {
  if (!is_bool()) wrong_type(*this, "a boolean");
  return std::get<bool>(value_);
}

std::int64_t Json::as_integer() const {
  if (!is_integer()) wrong_type(*this, "an integer");
  return std::get<std::int64_t>(value_);
}

double Json::as_number() const {
  if (is_integer()) return static_cast<double>(std::get<std::int64_t>(value_));
  if (!is_number()) wrong_type(*this, "a number");
  return std::get<double>(value_);
}

const std::string& Json::as_string() const {
  if (!is_string()) wrong_type(*this, "a string");
  return std::get<std::string>(value_);
}

const Json::ArrayType& Json::as_array() const {
  if (!is_array()) wrong_type(*this, "an array");
  return std::get<ArrayType>(value_);
}

const Json::ObjectType& Json::as_object() const {
  if (!is_object()) wrong_type(*this, "an object");
  return std::get<ObjectType>(value_);
}

const Json* Json::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  const ObjectType& members = as_object();
  const auto at = std::find_if(members.begin(), members.end(), [key](const Member& m) { return m.first == key; });
  return at == members.end() ? nullptr : &at->second;
}

const Json& Json::at(std::string_view key) const {
  if (!is_object()) wrong_type(*this, fmt::format("an object with the key '{}'", printable(key)));
  const Json* value = find(key);
  if (value == nullptr) throw FormatError(fmt::format("the key '{}' is missing", printable(key)));
  return *value;
}

Json& Json::set(std::string key, Json value) {
  if (is_null()) value_ = ObjectType();
  if (!is_object()) wrong_type(*this, "an object to add a key to");
  ObjectType& members = std::get<ObjectType>(value_);
  const auto at = std::find_if(members.begin(), members.end(), [&key](const Member& m) { return m.first == key; });
  if (at != members.end())
    at->second = std::move(value);
  else
    members.emplace_back(std::move(key), std::move(value));
  return *this;
}

Json& Json::push(Json value) {
  if (is_null()) value_ = ArrayType();
  if (!is_array()) wrong_type(*this, "an array to append to");
  std::get<ArrayType>(value_).push_back(std::move(value));
  return *this;
}

Json parse_json(std::string_view text) {
  Builder builder(text);
  Library::sax_parse(Cursor(text.data(), builder.cursor()), Cursor(text.data() + text.size(), builder.cursor()),
                     &builder);
  return builder.take();
}

Json texts_json(std::span<const std::string> texts) {
  Json out = Json::array();
  for (const std::string& text : texts) out.push(text);
  return out;
}

std::string write_json(const Json& value, int indent) {
  Writer writer(indent);
  writer.write(value);
  return writer.take();
}

}  // namespace shiftnorm::container
