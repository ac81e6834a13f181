#include "share_estimate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <tuple>

#include "probabilities.hpp"
#include "shiftnorm/adapt/mixture.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/random.hpp"
#include "shiftnorm/metrics/label_shift.hpp"
#include "shiftnorm/toolkit/protocol.hpp"

namespace shiftnorm::toolkit {
namespace {

/// BatchNorms from one depth to the next, and how often all are matched in the end.
constexpr std::size_t kStride = 3, kMostDepths = 19, kLastRounds = 3;
/// Exponent of the prior on few classes.
constexpr double kSharpening = 1.2;
constexpr int kResamples = 200;
/// Resamples start where the whole sample ended.
constexpr int kResampleSteps = 20;

/// One question of shares that add up to 1: all classes of one choice, or one finding's absence and presence.
struct Question {
  std::vector<std::size_t> groups;  ///< of the reference, without those that it has no image of
  std::vector<double> reference;    ///< their shares there
  metrics::MomentEquations equations;
};

double all_of(const stats::Reference& reference, const std::vector<std::size_t>& groups) {
  double sum = 0;
  for (const std::size_t g : groups) sum += reference.images_of(g);
  return sum;
}

metrics::LayerMoments moments_of(const stats::Reference& reference, std::size_t layer, std::size_t group) {
  stats::Moments from = reference.moments(layer, group);
  return {std::move(from.mean), std::move(from.square)};
}

/// Raw moments of what was measured.
metrics::LayerMoments raw(const stats::LayerStatistics& layer) {
  metrics::LayerMoments out{layer.mean, layer.variance};
  for (std::size_t c = 0; c < out.mean.size(); ++c) out.square[c] += out.mean[c] * out.mean[c];
  return out;
}

/// Of one image, from sums around the pivot.
metrics::LayerMoments raw(const adapt::SeenLayer& layer, const std::vector<float>& pivot) {
  metrics::LayerMoments out;
  const auto count = static_cast<double>(layer.values);
  for (std::size_t c = 0; c < layer.sum.size(); ++c) {
    const double p = pivot[c], mean = layer.sum[c] / count;
    out.mean.push_back(p + mean);
    out.square.push_back(layer.square[c] / count + 2 * p * mean + p * p);
  }
  return out;
}

/// Total variation; of findings the largest difference, as each is a question of its own.
double apart(const std::vector<double>& a, const std::vector<double>& b, bool findings) {
  if (!findings) return metrics::total_variation(a, b);
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

/// The estimate on one session and set of images.
class Estimation {
 public:
  Estimation(const Session& session, const adapt::Mode& mode, const std::vector<std::size_t>& images,
             std::uint64_t seed, const Progress& progress)
      : session_(session),
        reference_(session.reference->reference),
        mode_(mode),
        images_(subset(session.images, images)),
        seed_(seed),
        progress_(progress) {
    const std::vector<bool> part = session.engine->taking_part(mode);
    for (std::size_t l = 0; l < part.size(); ++l)
      if (part[l]) layers_.push_back(l);
    ask();
  }

  void run(results::MixtureFacts& out) {
    out.shares = by_depth(even());
    source_ = probabilities(session_.engine->infer(session_.engine->source(), images_, progress_));
    out.starts_apart = apart(settled(mean_shares(source_)), out.shares, reference_.findings);
    const std::vector<OneImage> matched = each_image(out.shares);
    resample(matched, out);
    compare_with_source(matched, out);
    judge(out);
  }

 private:
  using Shares = std::vector<double>;  ///< one for each class

  /// What moments and outputs are asked, from the deeper half of the layers.
  void ask() {
    const std::size_t classes = reference_.classes.size();
    for (std::size_t f = 0; f < (reference_.findings ? classes : 1); ++f) {
      std::vector<std::size_t> groups;
      if (reference_.findings)
        groups = {2 * f, 2 * f + 1};
      else
        for (std::size_t c = 0; c < classes; ++c) groups.push_back(c);
      std::erase_if(groups, [&](std::size_t g) { return !reference_.has(g); });
      Question question{groups, {}, metrics::MomentEquations(groups.size())};
      const double all = all_of(reference_, groups);
      for (const std::size_t g : groups) question.reference.push_back(reference_.images_of(g) / all);
      for (std::size_t l = layers_.size() / 2; l < layers_.size(); ++l) {
        std::vector<metrics::LayerMoments> of_group;
        of_group.reserve(groups.size());
        for (const std::size_t g : groups) of_group.push_back(moments_of(reference_, layers_[l], g));
        question.equations.add_layer(of_group, question.reference);
      }
      questions_.push_back(std::move(question));
    }
  }

  /// Answers, one vector of shares for each question, as one share for each class.
  [[nodiscard]] Shares shares_of(const std::vector<std::vector<double>>& answers) const {
    Shares out(reference_.classes.size(), 0.0);
    for (std::size_t q = 0; q < questions_.size(); ++q)
      for (std::size_t g = 0; g < questions_[q].groups.size(); ++g) {
        const std::size_t group = questions_[q].groups[g];
        if (!reference_.findings)
          out[group] = answers[q][g];
        else if (group % 2 == 1)
          out[group / 2] = answers[q][g];
      }
    return out;
  }

  [[nodiscard]] Shares even() const {
    std::vector<std::vector<double>> answers;
    for (const Question& question : questions_)
      answers.emplace_back(question.groups.size(), 1 / static_cast<double>(question.groups.size()));
    return shares_of(answers);
  }

  [[nodiscard]] std::vector<double> probabilities(const adapt::Outputs& outputs) const {
    return probabilities_of(outputs.values, outputs.width, session_.outputs, reference_.findings);
  }

  /// Probabilities of a question's groups: a row for each image.
  [[nodiscard]] std::vector<double> rows_of(const Question& question, const std::vector<double>& probabilities) const {
    const std::size_t classes = reference_.classes.size();
    std::vector<double> rows;
    for (std::size_t at = 0; at < probabilities.size(); at += classes)
      for (const std::size_t group : question.groups) {
        const double p = probabilities[at + (reference_.findings ? group / 2 : group)];
        rows.push_back(reference_.findings && group % 2 == 0 ? 1 - p : p);
      }
    return rows;
  }

  [[nodiscard]] Shares mean_shares(const std::vector<double>& all) const {
    std::vector<std::vector<double>> answers;
    for (const Question& question : questions_) {
      const std::vector<double> values = rows_of(question, all);
      // No step: the mean of the rows, in an order of their own.
      std::vector<double> mean = metrics::em_shares(
          metrics::Rows(values, static_cast<std::int64_t>(question.groups.size())), question.reference, 0);
      const double sum = std::accumulate(mean.begin(), mean.end(), 0.0);
      for (double& share : mean) share = sum > 0 ? share / sum : 1 / static_cast<double>(mean.size());
      answers.push_back(std::move(mean));
    }
    return shares_of(answers);
  }

  [[nodiscard]] adapt::Mode matched_to(const Shares& shares) const {
    adapt::Mode mode = mode_;
    mode.mixture =
        std::make_shared<const adapt::Mixture>(adapt::mixture_of(reference_, session_.reference->sha256, shares));
    return mode;
  }

  /// Half what the moments say, half what the outputs do.
  [[nodiscard]] Shares answer(const std::vector<std::vector<double>>& right, const std::vector<double>& all, int steps,
                              std::span<const std::uint32_t> counts) const {
    std::vector<std::vector<double>> answers;
    for (std::size_t q = 0; q < questions_.size(); ++q) {
      const Question& question = questions_[q];
      std::vector<double> both = question.equations.solved(right[q]);
      const std::vector<double> values = rows_of(question, all);
      const std::vector<double> em = metrics::em_shares(
          metrics::Rows(values, static_cast<std::int64_t>(question.groups.size())), question.reference, steps, counts);
      for (std::size_t g = 0; g < both.size(); ++g) both[g] = (both[g] + em[g]) / 2;
      answers.push_back(std::move(both));
    }
    return shares_of(answers);
  }

  [[nodiscard]] Shares by_depth(Shares shares) const {
    const std::size_t count = layers_.size();
    const std::size_t stride = std::max(kStride, (count + kMostDepths - 1) / kMostDepths);
    std::vector<std::size_t> depths;
    for (std::size_t k = stride; k < count; k += stride) depths.push_back(k);
    depths.insert(depths.end(), kLastRounds, count);
    return rounds(std::move(shares), depths);
  }
  /// The last rounds alone.
  [[nodiscard]] Shares settled(Shares shares) const {
    return rounds(std::move(shares), std::vector(kLastRounds, layers_.size()));
  }
  [[nodiscard]] Shares rounds(Shares shares, const std::vector<std::size_t>& depths) const {
    for (std::size_t r = 0; r < depths.size(); ++r) {
      shares = round(shares, depths[r]);
      if (r + 1 < depths.size()) shares = sharpened(std::move(shares));
    }
    return shares;
  }

  /// A prior on few classes: each round's answer lies between what it was asked under and the truth.
  [[nodiscard]] Shares sharpened(Shares shares) const {
    const auto sharper = [](std::span<double> of) {
      double sum = 0;
      for (double& share : of) sum += share = std::pow(share, kSharpening);
      for (double& share : of) share /= sum;
    };
    if (!reference_.findings)
      sharper(shares);
    else
      for (double& share : shares) {
        std::array both{share, 1 - share};
        sharper(both);
        share = both.front();
      }
    return shares;
  }

  /// One sweep under these shares, and what it says of them.
  [[nodiscard]] Shares round(const Shares& shares, std::size_t depth) const {
    const std::size_t count = layers_.size();
    progress_.check();
    const adapt::PartlyMatched seen = session_.engine->match_first(matched_to(shares), depth, images_, progress_);
    std::vector<std::vector<double>> right;
    for (const Question& question : questions_) {
      std::vector<double>& own = right.emplace_back(question.groups.size(), 0.0);
      for (std::size_t l = 0; l < question.equations.layers(); ++l)
        question.equations.add_target(l, raw(seen.measured[layers_[count / 2 + l]]), own);
    }
    constexpr int kSteps = 100;
    return answer(right, probabilities(kept_rows(seen)), kSteps, {});
  }

  /// Outputs of the images that took part.
  static adapt::Outputs kept_rows(const adapt::PartlyMatched& seen) {
    const auto width = static_cast<std::size_t>(seen.outputs.width);
    adapt::Outputs out{seen.outputs.width, {}};
    for (const std::size_t i : seen.images) {
      const auto row = seen.outputs.values.begin() + static_cast<std::ptrdiff_t>(i * width);
      out.values.insert(out.values.end(), row, row + static_cast<std::ptrdiff_t>(width));
    }
    return out;
  }

  /// What one image adds, by which images are put in an order of their own.
  struct OneImage {
    std::size_t image = 0;  ///< of those that are measured
    std::vector<double> probabilities;
    std::vector<std::vector<double>> right;  ///< per question
  };

  [[nodiscard]] std::vector<OneImage> each_image(const Shares& shares) const {
    const adapt::ModeResult matched = session_.engine->run(matched_to(shares), images_, nullptr, progress_);
    std::vector<OneImage> out;
    const std::size_t half = layers_.size() / 2;
    const auto seen = [&](const adapt::SeenImage& image) {
      OneImage one;
      one.image = image.image;
      one.probabilities = probabilities_of(image.output, static_cast<std::int64_t>(image.output.size()),
                                           session_.outputs, reference_.findings);
      for (const Question& question : questions_) one.right.emplace_back(question.groups.size(), 0.0);
      for (const adapt::SeenLayer& layer : image.layers) {
        const auto at = std::ranges::lower_bound(layers_, layer.layer);
        if (at == layers_.end() || *at != layer.layer || std::cmp_less(at - layers_.begin(), half)) continue;
        const auto equation = static_cast<std::size_t>(at - layers_.begin()) - half;
        const metrics::LayerMoments moments = raw(layer, reference_.layers[layer.layer].pivot);
        for (std::size_t q = 0; q < questions_.size(); ++q)
          questions_[q].equations.add_target(equation, moments, one.right[q]);
      }
      out.push_back(std::move(one));
    };
    static_cast<void>(session_.engine->each_image(
        matched.statistics, images_, "shares", seen, [&] { out.clear(); }, progress_));
    std::ranges::sort(out, [](const OneImage& a, const OneImage& b) {
      return std::tie(a.probabilities, a.right) < std::tie(b.probabilities, b.right);
    });
    return out;
  }

  /// Images drawn anew, the network as it is matched in the end.
  void resample(const std::vector<OneImage>& all, results::MixtureFacts& out) const {
    std::vector<double> probabilities;
    for (const OneImage& one : all)
      probabilities.insert(probabilities.end(), one.probabilities.begin(), one.probabilities.end());
    const auto draw = [&](std::span<const std::uint32_t> counts) {
      std::vector<std::vector<double>> right;
      for (std::size_t q = 0; q < questions_.size(); ++q) {
        std::vector<double>& own = right.emplace_back(questions_[q].groups.size(), 0.0);
        for (std::size_t i = 0; i < all.size(); ++i)
          for (std::size_t g = 0; g < own.size(); ++g)
            own[g] += (counts.empty() ? 1.0 : static_cast<double>(counts[i])) * all[i].right[q][g] /
                      static_cast<double>(all.size());
      }
      return answer(right, probabilities, kResampleSteps, counts);
    };
    const Shares whole = draw({});
    std::vector<std::vector<double>> of_class(out.shares.size());
    std::vector<double> distances;
    for (int r = 0; r < kResamples; ++r) {
      progress_.check();
      Random random(seed_, static_cast<std::uint64_t>(r));
      std::vector<std::uint32_t> counts(all.size(), 0);
      for (std::size_t i = 0; i < all.size(); ++i) ++counts[random.below(static_cast<std::uint32_t>(all.size()))];
      const Shares drawn = draw(counts);
      distances.push_back(apart(drawn, whole, reference_.findings));
      for (std::size_t c = 0; c < drawn.size(); ++c) of_class[c].push_back(drawn[c] - whole[c]);
    }
    const auto quantile = [](std::vector<double>& values, double share) {
      std::ranges::sort(values);
      return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
    };
    out.sampling = quantile(distances, 0.95);
    for (std::size_t c = 0; c < of_class.size(); ++c)
      out.intervals.push_back({std::clamp(out.shares[c] + quantile(of_class[c], 0.025), 0.0, 1.0),
                               std::clamp(out.shares[c] + quantile(of_class[c], 0.975), 0.0, 1.0)});
  }

  /// Whether matched predictions are surer than the source's, and how many are the same.
  void compare_with_source(const std::vector<OneImage>& matched, results::MixtureFacts& out) const {
    const std::size_t classes = reference_.classes.size();
    double same = 0, count = 0, entropy_before = 0, entropy_after = 0;
    for (const OneImage& one : matched) {
      const std::span<const double> before(source_.data() + one.image * classes, classes), after(one.probabilities);
      const auto finite = [](double p) { return std::isfinite(p); };
      if (!std::ranges::all_of(before, finite) || !std::ranges::all_of(after, finite)) continue;
      count += 1;
      entropy_before += entropy(before);
      entropy_after += entropy(after);
      same += agreement(before, after);
    }
    count = std::max(count, 1.0);
    out.source_entropy = entropy_before / count;
    out.entropy = entropy_after / count;
    out.agreement = same / count;
  }
  [[nodiscard]] double entropy(std::span<const double> probabilities) const {
    double sum = 0;
    for (const double p : probabilities) {
      if (p > 0) sum -= p * std::log(p);
      if (reference_.findings && p < 1) sum -= (1 - p) * std::log(1 - p);
    }
    return sum;
  }
  [[nodiscard]] double agreement(std::span<const double> a, std::span<const double> b) const {
    if (!reference_.findings)
      return std::ranges::max_element(a) - a.begin() == std::ranges::max_element(b) - b.begin() ? 1 : 0;
    double same = 0;
    for (std::size_t f = 0; f < a.size(); ++f) same += (a[f] >= 0.5) == (b[f] >= 0.5) ? 1 : 0;
    return same / static_cast<double>(a.size());
  }

  static void judge(results::MixtureFacts& out) {
    if (*out.starts_apart > kStartsApart)
      out.reason = fmt::format(
          "beginning with the source's predictions ends {:.2f} from beginning with even shares (total variation; {:g} "
          "at most)",
          *out.starts_apart, kStartsApart);
    else if (*out.sampling > kSamplingApart)
      out.reason = fmt::format("resampled images put the shares {:.2f} apart (total variation; {:g} at most)",
                               *out.sampling, kSamplingApart);
    else if (*out.entropy >= *out.source_entropy && *out.agreement < kAgreement)
      out.reason = fmt::format(
          "matched predictions differ from the source's ({:.0f} % agree) and are no surer (mean entropy {:.3f}, source "
          "{:.3f})",
          100 * *out.agreement, *out.entropy, *out.source_entropy);
    out.tells = out.reason.empty();
  }

  const Session& session_;
  const stats::Reference& reference_;
  const adapt::Mode& mode_;
  adapt::Images images_;
  std::uint64_t seed_;
  const Progress& progress_;
  std::vector<std::size_t> layers_;  ///< that take part, in graph order
  std::vector<Question> questions_;
  std::vector<double> source_;  ///< the source's probabilities
};

}  // namespace

void estimate_shares(const Session& session, const adapt::Mode& mode, const std::vector<std::size_t>& images,
                     std::uint64_t seed, const Progress& progress, results::MixtureFacts& out) {
  const stats::Reference& reference = session.reference->reference;
  if (!reference.findings && reference.classes.size() > kMostEstimated)
    throw ConfigError(fmt::format("shares = estimate: {} classes; expected at most {}, or the shares by name or labels",
                                  reference.classes.size(), kMostEstimated));
  if (reference.findings && reference.classes.size() > adapt::kMostFindings)
    throw ConfigError(
        fmt::format("shares = estimate: {} findings; expected at most {}, or the shares of those that "
                    "matter by name",
                    reference.classes.size(), adapt::kMostFindings));
  Estimation(session, mode, images, seed, progress).run(out);
}

}  // namespace shiftnorm::toolkit
