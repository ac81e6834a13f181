#include <algorithm>
#include <numeric>
#include <vector>

#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

std::string Dataset::fingerprint() const {
  std::vector<std::size_t> every(samples().size());
  std::iota(every.begin(), every.end(), std::size_t{0});
  return fingerprint(std::move(every));
}

std::string Dataset::fingerprint(std::vector<std::size_t> order) const {
  const std::vector<Sample>& all = samples();
  std::ranges::sort(order, {}, [&](std::size_t i) -> const std::string& { return all[i].id; });
  Sha256 hash;
  for (const std::size_t i : order)
    hash.add(all[i].id).add(std::string_view("\0", 1)).add(std::string_view(digest(i))).add(std::string_view("\n"));
  return hash.hex();
}

}  // namespace shiftnorm::imaging
