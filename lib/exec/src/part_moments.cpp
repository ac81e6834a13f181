#include "part_moments.hpp"

#include <array>

namespace shiftnorm::exec {
namespace {

constexpr std::size_t kAtOnce = 64;

}  // namespace

void PartMoments::add(std::span<const double> sum, std::span<const double> square, std::int64_t values) {
  if (values != values_) flush();
  values_ = values;
  sums_.insert(sums_.end(), sum.begin(), sum.end());
  squares_.insert(squares_.end(), square.begin(), square.end());
  if (++images_ == kAtOnce) flush();
}

void PartMoments::merge(PartMoments& other) {
  flush();
  other.flush();
  moments_.merge(other.moments_);
  spread_.merge(other.spread_);
}

void PartMoments::flush() {
  if (images_ == 0) return;
  moments_.add_images(sums_, squares_, values_, images_);
  spread_.add(sums_, squares_, static_cast<double>(values_), images_);
  sums_.clear();
  squares_.clear();
  images_ = 0;
}

LevelMoments side_by_side(SetIndex set, std::span<const PartIndex> parts, const Moments& of) {
  std::vector<float> pivot;
  std::vector<stats::ExactSum> sums, squares;
  std::vector<std::array<stats::ExactSum, 3>> products;
  const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  for (const PartIndex part : parts) {
    const PartMoments& one = of.at(part);
    append(pivot, one.pivot());
    append(sums, one.moments().sums());
    append(squares, one.moments().squares());
    append(products, one.spread().products());
  }
  const PartMoments& first = of.at(parts.front());
  return {set.number(),
          {std::move(pivot), std::move(sums), std::move(squares), first.moments().values(), first.moments().images()},
          {std::move(products), first.spread().units()}};
}

}  // namespace shiftnorm::exec
