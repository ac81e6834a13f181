#include "limit.hpp"

#include <fmt/format.h>

#include <map>
#include <numeric>
#include <random>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging {
namespace {

void check(const Limit& limit) {
  const auto positive = [](const char* name, const std::optional<std::int64_t>& value) {
    if (value && *value < 1) throw ConfigError(fmt::format("limit.{} = {}; expected at least 1", name, *value));
  };
  positive("per_class", limit.per_class);
  positive("images", limit.images);
}

std::vector<std::size_t> first_of_each_class(std::int64_t n, std::span<const Sample> samples) {
  std::map<std::int32_t, std::int64_t> seen;
  std::vector<std::size_t> kept;
  // What has no label is of no class.
  for (std::size_t i = 0; i < samples.size(); ++i)
    if (samples[i].label >= 0 && seen[samples[i].label]++ < n) kept.push_back(i);
  if (kept.empty()) throw ConfigError("limit.per_class: the data have no labels; expected limit.images");
  return kept;
}

/// Selection sampling (Knuth, TAOCP vol. 2, 3.4.2, algorithm S): keeps the order. The generator's numbers are fixed by
/// the C++ standard; its distributions are not, hence the remainder (bias below 2^-32 for any real count).
std::vector<std::size_t> draw(std::size_t n, std::uint64_t seed, const std::vector<std::size_t>& from) {
  std::mt19937_64 random(seed);
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < from.size() && kept.size() < n; ++i)
    if (random() % (from.size() - i) < n - kept.size()) kept.push_back(from[i]);
  return kept;
}

}  // namespace

std::vector<std::size_t> select(const Limit& limit, std::span<const Sample> samples) {
  check(limit);
  std::vector<std::size_t> kept(samples.size());
  std::iota(kept.begin(), kept.end(), std::size_t{0});
  if (limit.per_class) kept = first_of_each_class(*limit.per_class, samples);
  if (limit.images && static_cast<std::uint64_t>(*limit.images) < kept.size())
    kept = draw(static_cast<std::size_t>(*limit.images), limit.seed, kept);
  return kept;
}

}  // namespace shiftnorm::imaging
