#pragma once

#include <cassert>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace shiftnorm::exec {

/// The number of one kind of thing, from 0, or of none: never taken for the number of another kind. None comes before
/// all others in order.
template <class Kind>
class Index {
 public:
  constexpr Index() = default;  ///< none
  constexpr explicit Index(std::size_t number) : number_(static_cast<std::int64_t>(number)) {}

  [[nodiscard]] constexpr bool exists() const noexcept { return number_ >= 0; }
  /// Of one that exists.
  [[nodiscard]] constexpr std::size_t number() const noexcept {
    assert(exists());
    return static_cast<std::size_t>(number_);
  }
  /// The next one; of none, the first.
  [[nodiscard]] constexpr Index next() const noexcept { return Index(static_cast<std::size_t>(number_ + 1)); }
  friend constexpr bool operator==(const Index&, const Index&) = default;
  friend constexpr std::strong_ordering operator<=>(const Index& a, const Index& b) noexcept {
    return a.number_ <=> b.number_;
  }

 private:
  std::int64_t number_ = -1;
};

using ValueIndex = Index<struct ValueKind>;        ///< of a program's values
using StepIndex = Index<struct StepKind>;          ///< of a program's steps
using SetIndex = Index<struct SetKind>;            ///< of a plan's BatchNorm sets
using InstanceIndex = Index<struct InstanceKind>;  ///< of what a cut computes: a value, or a value computed again
using PartIndex = Index<struct PartKind>;          ///< of a cut's measured parts
using ActionIndex = Index<struct ActionKind>;      ///< of the actions of all segments, one after the other

/// Indices from the first to before `end`, in a range-based for.
template <class I>
class Indices {
 public:
  class Iterator {
   public:
    constexpr explicit Iterator(std::size_t number) : number_(number) {}
    constexpr I operator*() const noexcept { return I(number_); }
    constexpr Iterator& operator++() noexcept { return ++number_, *this; }
    friend constexpr bool operator==(const Iterator&, const Iterator&) = default;

   private:
    std::size_t number_;
  };

  constexpr explicit Indices(std::size_t end) : end_(end) {}
  [[nodiscard]] constexpr Iterator begin() const noexcept { return Iterator(0); }
  [[nodiscard]] constexpr Iterator end() const noexcept { return Iterator(end_); }

 private:
  std::size_t end_;
};

/// A vector of which each kind of index has its own.
template <class I, class T>
class Indexed {
 public:
  Indexed() = default;
  explicit Indexed(std::size_t size, const T& value = T()) : items_(size, value) {}

  [[nodiscard]] decltype(auto) operator[](I at) { return items_[at.number()]; }
  [[nodiscard]] decltype(auto) operator[](I at) const { return items_[at.number()]; }
  [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
  [[nodiscard]] bool empty() const noexcept { return items_.empty(); }
  [[nodiscard]] Indices<I> indices() const noexcept { return Indices<I>(items_.size()); }
  [[nodiscard]] I next() const noexcept { return I(items_.size()); }  ///< of what push_back() adds next
  I push_back(T item) {
    const I at = next();
    items_.push_back(std::move(item));
    return at;
  }
  void resize(std::size_t size) { items_.resize(size); }
  void assign(std::size_t size, const T& value) { items_.assign(size, value); }

  [[nodiscard]] auto begin() noexcept { return items_.begin(); }
  [[nodiscard]] auto end() noexcept { return items_.end(); }
  [[nodiscard]] auto begin() const noexcept { return items_.begin(); }
  [[nodiscard]] auto end() const noexcept { return items_.end(); }
  [[nodiscard]] decltype(auto) front() const { return items_.front(); }
  [[nodiscard]] decltype(auto) back() const { return items_.back(); }
  friend bool operator==(const Indexed&, const Indexed&) = default;

 private:
  std::vector<T> items_;
};

}  // namespace shiftnorm::exec
