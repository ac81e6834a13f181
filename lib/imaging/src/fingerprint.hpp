#pragma once

#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// SHA-256 over one line per sample, `id NUL sha256(stored bytes) LF`, in id order: `digest(i)` gives the inner one.
template <class Digest>
std::string fingerprint_of(std::span<const Sample> samples, Digest digest) {
  std::vector<std::size_t> order(samples.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) -> const std::string& { return samples[i].id; });
  Sha256 all;
  for (const std::size_t i : order)
    all.add(samples[i].id).add(std::string_view("\0", 1)).add(std::string_view(digest(i))).add(std::string_view("\n"));
  return all.hex();
}

}  // namespace shiftnorm::imaging
