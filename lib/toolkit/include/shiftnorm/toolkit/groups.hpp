#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace shiftnorm::toolkit {

/// Images numbered by what they have in common, from 0 without gaps in the order in which groups first appear.
struct Groups {
  std::vector<std::uint32_t> of;  ///< by image; empty: not known
  std::uint32_t count = 0;

  [[nodiscard]] bool known() const { return !of.empty(); }
};

/// Images with the same text are a group. `alone`: images with an empty text are groups of their own, else they are
/// one.
[[nodiscard]] Groups grouped(std::span<const std::string> texts, bool alone);
/// So many images, by their places.
[[nodiscard]] std::vector<std::size_t> every_image(std::size_t images);
/// Every image is a group.
[[nodiscard]] Groups single(std::size_t images);
/// The smallest groups that part none of `a` and none of `b`.
[[nodiscard]] Groups united(const Groups& a, const Groups& b);
/// Of some images, in the order given, numbered anew.
[[nodiscard]] Groups among(const Groups& groups, std::span<const std::size_t> images);
/// Groups with images in both.
[[nodiscard]] std::int64_t shared(const Groups& groups, std::span<const std::size_t> a, std::span<const std::size_t> b);

}  // namespace shiftnorm::toolkit
