#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/metrics/metrics.hpp"

/// What outputs show without labels. All of these are hints: each can be fooled, and its paper says when.
namespace shiftnorm::metrics {

/// One row of probabilities for each image, row-major [images, classes].
/// Errors  ShapeError unless the values are whole rows of at least one class. Rows with a number that is not finite
///         count for nothing, here and below.
class Rows {
 public:
  Rows(std::span<const double> values, std::int64_t classes);
  [[nodiscard]] std::size_t images() const noexcept { return values_.size() / classes_; }
  [[nodiscard]] std::size_t classes() const noexcept { return classes_; }
  [[nodiscard]] std::span<const double> row(std::size_t i) const { return values_.subspan(i * classes_, classes_); }
  [[nodiscard]] bool finite(std::size_t i) const;
  [[nodiscard]] std::size_t guess(std::size_t i) const;  ///< the class of the largest probability, the first on ties
  [[nodiscard]] std::size_t usable() const;              ///< how many rows are finite

 private:
  std::span<const double> values_;
  std::size_t classes_;
};

/// Minus the entropy of each usable row in nats: the score that ATC thresholds ("ATC-NE").
[[nodiscard]] std::vector<double> negative_entropies(const Rows& rows);

/// Share of the images on which both predict the same class; nothing if no image is usable in both.
/// Errors  ShapeError for other numbers of images or classes.
[[nodiscard]] std::optional<double> agreement(const Rows& a, const Rows& b);

/// Share of the usable images that is predicted to be of each class; all 0 if none is usable.
[[nodiscard]] std::vector<double> predicted_shares(const Rows& rows);

/// exp of the entropy of shares: k for an even mixture of k classes, 1 for one class alone (Hill 1973, order 1).
[[nodiscard]] double effective_classes(std::span<const double> shares);

/// Half the sum of |p - q|: the largest share of images on which two mixtures of classes must differ.
[[nodiscard]] double total_variation(std::span<const double> p, std::span<const double> q);

/// The nuclear norm of the matrix of probabilities over its largest possible value, sqrt(min(images, classes) images):
/// 1 for sure predictions spread evenly over all classes, small when unsure or all alike. No value if no image is
/// usable. Relative error below 1e-10, whatever the singular values. 50 000 images of 1000 classes take some seconds.
/// Source  Deng, Suh, Gould, Zheng: Confidence and Dispersity Speak, ICML 2023.
[[nodiscard]] Score nuclear_norm(const Rows& rows);

/// log of the size-weighted squared distances of the predicted classes' means from the common mean, over classes - 1.
/// The paper measures penultimate features; the rows given here may be those, or probabilities. No value with one class
/// or when all rows are alike.
/// guesses: the predicted class of each row. Errors  ShapeError unless there is one below `classes` for each row.
/// Source  Xie, Wei, Feng, Cao, An: On the Importance of Feature Separability in Predicting Out-Of-Distribution Error,
///         NeurIPS 2023.
[[nodiscard]] Score dispersion(const Rows& rows, std::span<const std::size_t> guesses, std::size_t classes);

/// Average thresholded confidence: the share of target scores at or above the threshold that as many source scores
/// reach as source images are right. No value without scores on either side.
/// right: one for each source score. Source  Garg, Balakrishnan, Lipton, Neyshabur, Sedghi, ICLR 2022.
[[nodiscard]] Score atc_accuracy(std::span<const double> source_scores, const std::vector<bool>& right,
                                 std::span<const double> target_scores);

/// Confidence optimal transport: 1 - the least mean cost of giving every usable target image one class, so that classes
/// have the shares of the source's labels and class k costs row i the distance 1 - p_ik (the largest difference to the
/// one-hot k). Exact; shares become whole numbers of images by largest remainder, which moves the result by less than
/// classes / images. No value if no image is usable or the problem is too large for seconds.
/// Errors  ShapeError unless there is a share for each class, none negative, their sum 1 within 1e-6.
/// Source  Lu, Wang, Zhai, Kolouri, Campbell, Sycara: Predicting Out-of-Distribution Error with Confidence Optimal
///         Transport, 2023.
[[nodiscard]] Score cot_accuracy(const Rows& rows, std::span<const double> source_shares);

/// Shares of the classes, or why they cannot be determined.
struct Shares {
  std::optional<std::vector<double>> value;
  std::string reason;
};

/// The target's shares of the classes under label shift: solves C x = q, where C_jk is the share of source images of
/// class k that are predicted as j and q the shares predicted on the target; what comes out negative is cut off, and
/// shares are scaled to sum 1. No value if a class has no source image or C is too near to singular (pivot < 1e-9).
/// It trusts that images of one class look alike in source and target: true of mixtures, not of corrupted images.
/// Source  Lipton, Wang, Smola: Detecting and Correcting for Label Shift with Black Box Predictors, ICML 2018.
[[nodiscard]] Shares bbse_shares(const Predictions& source, const Rows& target);

}  // namespace shiftnorm::metrics
