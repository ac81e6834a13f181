#include "probabilities.hpp"

#include <cmath>

#include "shiftnorm/metrics/metrics.hpp"

namespace shiftnorm::toolkit {
namespace {

/// A probability whose log odds grow by `shift`.
double with_odds(double probability, double shift) {
  const double factor = std::exp(shift);
  return probability * factor / (probability * factor + (1 - probability));
}

void multiply(std::span<const double> prior, std::span<float> row) {
  double sum = 0;
  for (std::size_t c = 0; c < row.size(); ++c) sum += static_cast<double>(row[c]) * std::exp(prior[c]);
  if (!(sum > 0)) return;
  for (std::size_t c = 0; c < row.size(); ++c)
    row[c] = static_cast<float>(static_cast<double>(row[c]) * std::exp(prior[c]) / sum);
}

}  // namespace

std::vector<double> probabilities_of(std::span<const float> outputs, std::int64_t width, config::OutputKind kind,
                                     bool findings) {
  if (kind != config::OutputKind::logits) return {outputs.begin(), outputs.end()};
  if (!findings) return metrics::softmax(outputs, width);
  std::vector<double> out;
  out.reserve(outputs.size());
  for (const float v : outputs) out.push_back(1 / (1 + std::exp(-static_cast<double>(v))));
  return out;
}

void correct_for_prior(std::span<const double> prior, config::OutputKind kind, std::span<float> row) {
  if (kind == config::OutputKind::probabilities) return multiply(prior, row);
  for (std::size_t c = 0; c < row.size(); ++c)
    row[c] = kind == config::OutputKind::sigmoid ? static_cast<float>(with_odds(static_cast<double>(row[c]), prior[c]))
                                                 : static_cast<float>(static_cast<double>(row[c]) + prior[c]);
}

}  // namespace shiftnorm::toolkit
