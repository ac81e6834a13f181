#include "shiftnorm/stats/channel_moments.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::stats {

ChannelMoments::ChannelMoments(std::vector<float> pivot)
    : pivot_(std::move(pivot)), sum_(pivot_.size()), square_(pivot_.size()) {}

ChannelMoments::ChannelMoments(std::vector<float> pivot, std::vector<ExactSum> sums, std::vector<ExactSum> squares,
                               std::int64_t values, std::int64_t images)
    : pivot_(std::move(pivot)), sum_(std::move(sums)), square_(std::move(squares)), values_(values), images_(images) {
  if (sum_.size() != channels() || square_.size() != channels())
    throw ShapeError(fmt::format("sums of {} and {} channels; expected {}", sum_.size(), square_.size(), channels()));
}

void ChannelMoments::add_images(std::span<const double> sums, std::span<const double> squares, std::int64_t values,
                                std::size_t images) {
  if (sums.size() != images * channels() || squares.size() != images * channels())
    throw ShapeError(fmt::format("{} and {} moments of {} image(s); expected {} each", sums.size(), squares.size(),
                                 images, images * channels()));
  add_rows(sums.data(), images, channels(), channels(), sum_.data(), 1);
  add_rows(squares.data(), images, channels(), channels(), square_.data(), 1);
  values_ += values * static_cast<std::int64_t>(images);
  images_ += static_cast<std::int64_t>(images);
}

void ChannelMoments::merge(const ChannelMoments& other) {
  if (other.pivot_ != pivot_) throw ShapeError("moments around different pivots cannot be merged");
  for (std::size_t c = 0; c < channels(); ++c) {
    sum_[c].merge(other.sum_[c]);
    square_[c].merge(other.square_[c]);
  }
  values_ += other.values_;
  images_ += other.images_;
}

void ChannelMoments::clear() { *this = ChannelMoments(std::move(pivot_)); }

std::int64_t ChannelMoments::invalid_channel() const noexcept {
  for (std::size_t c = 0; c < channels(); ++c)
    if (!sum_[c].valid() || !square_[c].valid()) return static_cast<std::int64_t>(c);
  return -1;
}

std::vector<double> ChannelMoments::mean() const {
  if (values_ == 0) throw std::domain_error("mean of no values");
  std::vector<double> out(channels());
  for (std::size_t c = 0; c < channels(); ++c)
    out[c] =
        static_cast<double>(static_cast<long double>(pivot_[c]) + sum_[c].value() / static_cast<long double>(values_));
  return out;
}

std::vector<double> ChannelMoments::variance(Divisor divisor) const {
  const std::int64_t least = divisor == Divisor::sample ? 2 : 1;
  if (values_ < least)
    throw std::domain_error(fmt::format("variance of {} values; expected {} or more", values_, least));
  const auto n = static_cast<long double>(values_);
  std::vector<double> out(channels());
  for (std::size_t c = 0; c < channels(); ++c) {
    const long double sum = sum_[c].value();
    const long double squares = square_[c].value() - sum * (sum / n);
    // A constant channel may come out a rounding error below zero.
    out[c] = squares > 0 ? static_cast<double>(squares / (divisor == Divisor::sample ? n - 1 : n))
                         : (squares <= 0 ? 0.0 : static_cast<double>(squares));
  }
  return out;
}

}  // namespace shiftnorm::stats
