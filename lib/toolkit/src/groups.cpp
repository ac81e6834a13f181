#include "shiftnorm/toolkit/groups.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <unordered_map>

namespace shiftnorm::toolkit {
namespace {

/// Marks of any kind, numbered in the order in which they appear.
template <class Marks>
Groups numbered(const Marks& marks) {
  Groups groups;
  std::unordered_map<std::uint64_t, std::uint32_t> number;
  for (const std::uint64_t mark : marks) {
    const auto [found, fresh] = number.emplace(mark, groups.count);
    if (fresh) ++groups.count;
    groups.of.push_back(found->second);
  }
  return groups;
}

}  // namespace

Groups grouped(std::span<const std::string> texts, bool alone) {
  Groups groups;
  std::unordered_map<std::string, std::uint32_t> number;
  for (const std::string& text : texts) {
    if (text.empty() && alone) {
      groups.of.push_back(groups.count++);
      continue;
    }
    const auto [found, fresh] = number.emplace(text, groups.count);
    if (fresh) ++groups.count;
    groups.of.push_back(found->second);
  }
  return groups;
}

std::vector<std::size_t> every_image(std::size_t images) {
  std::vector<std::size_t> all(images);
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

Groups single(std::size_t images) {
  Groups groups{std::vector<std::uint32_t>(images), static_cast<std::uint32_t>(images)};
  std::iota(groups.of.begin(), groups.of.end(), 0U);
  return groups;
}

Groups united(const Groups& a, const Groups& b) {
  if (!a.known()) return b;
  if (!b.known()) return a;
  // Groups of both are nodes, an image is an edge; the roots of the trees are what hangs together.
  std::vector<std::uint32_t> parent(std::size_t{a.count} + b.count);
  std::iota(parent.begin(), parent.end(), 0U);
  const auto root = [&](std::uint32_t node) {
    while (parent[node] != node) node = parent[node] = parent[parent[node]];
    return node;
  };
  for (std::size_t i = 0; i < a.of.size(); ++i) parent[root(a.of[i])] = root(a.count + b.of[i]);
  std::vector<std::uint32_t> roots;
  for (const std::uint32_t group : a.of) roots.push_back(root(group));
  return numbered(roots);
}

Groups among(const Groups& groups, std::span<const std::size_t> images) {
  if (!groups.known()) return {};
  std::vector<std::uint32_t> marks;
  for (const std::size_t i : images) marks.push_back(groups.of.at(i));
  return numbered(marks);
}

std::int64_t shared(const Groups& groups, std::span<const std::size_t> a, std::span<const std::size_t> b) {
  if (!groups.known()) return 0;
  std::vector<char> in_a(groups.count, 0), in_both(groups.count, 0);
  for (const std::size_t i : a) in_a[groups.of.at(i)] = 1;
  for (const std::size_t i : b)
    if (in_a[groups.of.at(i)] != 0) in_both[groups.of[i]] = 1;
  return std::ranges::count(in_both, 1);
}

}  // namespace shiftnorm::toolkit
