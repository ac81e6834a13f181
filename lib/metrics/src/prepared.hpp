#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/metrics/metrics.hpp"

namespace shiftnorm::metrics {

inline constexpr const char* kNoImages = "no labelled images";
inline constexpr const char* kLost = "a class of the data is not among the images";

/// Every metric in the form that is scored on resamples: per-image work done once. Definitions are in the table.
[[nodiscard]] Resampled accuracy(const Predictions& predictions);
template <int k>
[[nodiscard]] Resampled top_k_accuracy(const Predictions& predictions);
[[nodiscard]] Resampled balanced_accuracy(const Predictions& predictions);
[[nodiscard]] Resampled macro_f1(const Predictions& predictions);
[[nodiscard]] Resampled micro_f1(const Predictions& predictions);
[[nodiscard]] Resampled cohen_kappa(const Predictions& predictions);
[[nodiscard]] Resampled quadratic_kappa(const Predictions& predictions);
[[nodiscard]] Resampled auroc(const Predictions& predictions);
[[nodiscard]] Resampled average_precision(const Predictions& predictions);
template <int percent>
[[nodiscard]] Resampled sensitivity_at_specificity(const Predictions& predictions);
[[nodiscard]] Resampled nll(const Predictions& predictions);
[[nodiscard]] Resampled ece(const Predictions& predictions);
[[nodiscard]] Resampled adaptive_ece(const Predictions& predictions);
[[nodiscard]] Resampled brier(const Predictions& predictions);

[[nodiscard]] double total(std::span<const std::uint32_t> counts);
/// The mean of one number per image.
[[nodiscard]] Resampled mean_of(std::vector<double> values, Range range);
/// The share of images that are hits, one number for each image: 0 or 1.
[[nodiscard]] Resampled share_of(std::vector<std::uint8_t> hits);
/// No value, whatever is drawn.
[[nodiscard]] Resampled undefined(std::string reason);
/// Why the probabilities cannot be scored as probabilities; empty when they can.
[[nodiscard]] std::string not_probabilities(const Predictions& predictions);
/// The images of each class that has some, in the order of the classes: what a score over classes needs of a resample.
[[nodiscard]] std::vector<std::vector<std::uint32_t>> images_of_classes(const Predictions& predictions);
/// 1 for every image whose most probable class is the label, else 0.
[[nodiscard]] std::vector<std::uint8_t> correct(const Predictions& predictions);

}  // namespace shiftnorm::metrics
