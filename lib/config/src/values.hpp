#pragma once

#include <optional>

#include "schema.hpp"

/// The usual values of a Field, each by the path of members that leads to it: `kTextAt<&DataConfig::dataset,
/// &DatasetOptions::layout>`. What is absent, an empty text or list among it, is not written.
namespace shiftnorm::config {

template <class T, class M>
T owner_of(M T::*);
template <auto First, auto...>
struct OwnerOf {
  using Type = decltype(owner_of(First));
};
template <auto... Path>
using Owner = typename OwnerOf<Path...>::Type;

template <auto First, auto... Rest, class T>
auto& member_at(T& from) {
  if constexpr (sizeof...(Rest) == 0)
    return from.*First;
  else
    return member_at<Rest...>(from.*First);
}

/// Null: absent.
template <class V>
const V* given(const V& value) {
  return &value;
}
template <class V>
const V* given(const std::optional<V>& value) {
  return value ? &*value : nullptr;
}

/// A Value whose standard is what an untouched T has.
template <class Kind>
constexpr Value<typename Kind::T> value_of() {
  return {Kind::read, Kind::write, Kind::schema, [] { return json_of(Kind::write(typename Kind::T{})); }};
}

inline yaml::Node write_scalar(const std::string& text) { return text.empty() ? yaml::Node{} : write_text(text); }
inline yaml::Node write_scalar(const std::filesystem::path& path) { return write_scalar(path.string()); }
inline yaml::Node write_scalar(std::int64_t value) { return write_integer(value); }
inline yaml::Node write_scalar(std::uint64_t value) { return write_seed(value); }
inline yaml::Node write_scalar(double value) { return write_number(value); }

/// Reads and writes one member.
template <auto... Path>
struct MemberKind {
  using T = Owner<Path...>;
  static yaml::Node write(const T& from) {
    const auto* value = given(member_at<Path...>(from));
    return value == nullptr ? yaml::Node{} : write_scalar(*value);
  }
};

template <auto... Path>
struct TextKind : MemberKind<Path...> {
  using typename MemberKind<Path...>::T;
  static void read(const Cursor& c, T& into) { member_at<Path...>(into) = c.text(); }
  static Json schema() { return scalar_schema(); }
};
template <auto... Path>
inline constexpr auto kTextAt = value_of<TextKind<Path...>>();

/// The path of an input: relative to the YAML's folder, or to what --root says.
template <auto... Path>
struct InputKind : MemberKind<Path...> {
  using typename MemberKind<Path...>::T;
  static void read(const Cursor& c, T& into) { member_at<Path...>(into) = c.input_path(); }
  static Json schema() { return scalar_schema(); }
};
template <auto... Path>
inline constexpr auto kInputAt = value_of<InputKind<Path...>>();

template <auto... Path>
struct TextsKind {
  using T = Owner<Path...>;
  static void read(const Cursor& c, T& into) { member_at<Path...>(into) = c.texts(); }
  static yaml::Node write(const T& from) { return write_texts(member_at<Path...>(from)); }
  static Json schema() { return texts_schema(); }
};
template <auto... Path>
inline constexpr auto kTextsAt = value_of<TextsKind<Path...>>();

template <const Whole& Bounds, auto... Path>
struct WholeKind : MemberKind<Path...> {
  using typename MemberKind<Path...>::T;
  static void read(const Cursor& c, T& into) { member_at<Path...>(into) = c.integer(Bounds); }
  static Json schema() { return whole_schema(Bounds); }
};
template <const Whole& Bounds, auto... Path>
inline constexpr auto kWholeAt = value_of<WholeKind<Bounds, Path...>>();

template <const Range& Bounds, auto... Path>
struct NumberKind : MemberKind<Path...> {
  using typename MemberKind<Path...>::T;
  static void read(const Cursor& c, T& into) { member_at<Path...>(into) = c.number(Bounds); }
  static Json schema() { return number_schema(Bounds); }
};
template <const Range& Bounds, auto... Path>
inline constexpr auto kNumberAt = value_of<NumberKind<Bounds, Path...>>();

template <auto... Path>
struct TruthKind {
  using T = Owner<Path...>;
  static void read(const Cursor& c, T& into) { member_at<Path...>(into) = c.truth(); }
  static yaml::Node write(const T& from) { return write_truth(member_at<Path...>(from)); }
  static Json schema() { return truth_schema(); }
};
template <auto... Path>
inline constexpr auto kTruthAt = value_of<TruthKind<Path...>>();

/// A truth that is false unless it is asked for, and written only then.
template <auto... Path>
inline constexpr Value<Owner<Path...>> kFlagAt{
    TruthKind<Path...>::read,
    [](const Owner<Path...>& from) { return member_at<Path...>(from) ? write_truth(true) : yaml::Node{}; },
    truth_schema, [] { return Json(false); }};

/// One of a table's names. Values that have none are not written.
template <const auto& Table, auto... Path>
struct WordKind {
  using T = Owner<Path...>;
  static void read(const Cursor& c, T& into) { member_at<Path...>(into) = c.word(Table); }
  static yaml::Node write(const T& from) {
    const auto* value = given(member_at<Path...>(from));
    const auto* row = value == nullptr ? nullptr : Table.find(*value);
    return row == nullptr ? yaml::Node{} : write_text(row->name);
  }
  static Json schema() { return words_schema(Table.list()); }
};
template <const auto& Table, auto... Path>
inline constexpr auto kWordAt = value_of<WordKind<Table, Path...>>();

/// A map of its own keys.
template <const auto& Table, auto... Path>
inline constexpr Value<Owner<Path...>> kMapAt{
    [](const Cursor& c, Owner<Path...>& into) { read_map(c, Table, member_at<Path...>(into)); },
    [](const Owner<Path...>& from) { return write_map(Table, member_at<Path...>(from)); },
    [] { return map_schema(Table); }};

/// Written only where a condition holds.
template <auto Condition, const auto& Always>
inline constexpr auto kOnlyIf = [] {
  auto value = Always;
  value.write = [](const auto& from) { return Condition(from) ? Always.write(from) : yaml::Node{}; };
  return value;
}();

}  // namespace shiftnorm::config
