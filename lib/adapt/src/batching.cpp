#include "batching.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "shiftnorm/adapt/engine.hpp"

namespace shiftnorm::adapt {
namespace {

/// splitmix64 (Steele et al. 2014): the same sequence on every platform, which std::shuffle does not promise.
std::uint64_t next_random(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

/// Batches of the images of one domain.
Groups batches(std::vector<std::size_t> order, std::size_t batch, std::optional<std::uint64_t> shuffle) {
  if (shuffle) {
    std::uint64_t state = *shuffle;
    for (std::size_t i = order.size(); i > 1; --i) {
      // Rejection keeps every order equally likely.
      const std::uint64_t limit = UINT64_MAX - UINT64_MAX % i;
      std::uint64_t draw = next_random(state);
      while (draw >= limit) draw = next_random(state);
      std::swap(order[i - 1], order[draw % i]);
    }
  }
  Groups groups;
  for (std::size_t at = 0; at < order.size(); at += batch)
    groups.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(at),
                        order.begin() + static_cast<std::ptrdiff_t>(std::min(order.size(), at + batch)));
  return groups;
}

}  // namespace

Groups one_group(std::size_t count) {
  Groups groups(1, std::vector<std::size_t>(count));
  std::iota(groups[0].begin(), groups[0].end(), std::size_t{0});
  return groups;
}

DomainBatches domain_batches(const Groups& domains, std::size_t batch, std::optional<std::uint64_t> shuffle) {
  DomainBatches all;
  for (std::size_t d = 0; d < domains.size(); ++d) {
    std::size_t count = 0;
    for (std::vector<std::size_t>& group : batches(domains[d], batch, shuffle)) {
      all.groups.push_back(std::move(group));
      all.origins.push_back({d, count++});
    }
  }
  return all;
}

std::size_t batch_size(const Mode& mode) {
  return mode.policy == Policy::instance ? 1 : static_cast<std::size_t>(mode.batch);
}

std::vector<std::vector<std::size_t>> batches_of(const Mode& mode, std::size_t images) {
  return batches(std::move(one_group(images).front()), batch_size(mode), mode.shuffle);
}

}  // namespace shiftnorm::adapt
