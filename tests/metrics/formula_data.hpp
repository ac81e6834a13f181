#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "shiftnorm/metrics/metrics.hpp"

namespace shiftnorm::test {

/// 211 images of 5 classes from integer formulas that golden.py repeats; every logit is a multiple of 1/16, so exact.
/// seed 1: guesses near chance; seed 2: every second label raised by 4.
inline metrics::Predictions formula_data(int seed) {
  constexpr int kImages = 211, kClasses = 5;
  metrics::Predictions data;
  data.classes = kClasses;
  std::vector<float> logits;
  for (int i = 0; i < kImages; ++i) {
    const int label = i % 3 != 0 ? (i * i + 3 * (i / 7)) % kClasses : (i / 40) % kClasses;
    data.labels.push_back(label);
    for (int k = 0; k < kClasses; ++k) {
      const int raised = seed == 2 && i % 2 == 0 && k == label ? 64 : 0;
      const int sixteenths = (i * 37 + k * 101 * seed + i * k * 13 + (i * i) % 89) % 97 + raised - 48;
      logits.push_back(static_cast<float>(sixteenths) / 16);
    }
  }
  data.probabilities = metrics::softmax(logits, kClasses);
  return data;
}

/// Probabilities as multiples of 1/1024.
inline metrics::Predictions rounded(metrics::Predictions data) {
  for (double& p : data.probabilities) p = std::nearbyint(p * 1024) / 1024;
  return data;
}

}  // namespace shiftnorm::test
