// How often 95 % intervals hold the truth: data drawn again and again from models whose true score is known, and the
// interval that the program would print each time. scripts/coverage runs it; docs/study.md has the table.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <numbers>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/core/random.hpp"
#include "shiftnorm/metrics/intervals.hpp"

namespace {

using shiftnorm::Random;
using namespace shiftnorm::metrics;

constexpr std::uint64_t kSeed = 16;
constexpr std::size_t kPopulation = 400'000;  // for truths without a closed form: their error is below 0.001

/// Two sets of scores of the same images, as two modes give them, and what they belong to.
struct Data {
  Resampled first, second;
  std::vector<std::uint32_t> clusters = {};
};

struct Case {
  std::string metric, data;
  std::size_t images;
  std::function<Data(Random&, std::size_t images)> draw;
  double first, second;  ///< the truth
};

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

/// One-hot outputs: what metrics of choices look at.
void add_choice(Predictions& p, std::size_t label, std::size_t guess) {
  p.labels.push_back(static_cast<std::int32_t>(label));
  for (std::size_t k = 0; k < static_cast<std::size_t>(p.classes); ++k) p.probabilities.push_back(k == guess ? 1 : 0);
}

/// Image by image right with probability a, the second mode with b; clusters of `size` images share half their luck.
Data choices(Random& random, std::size_t images, double a, double b, std::size_t size) {
  Predictions first{2, {}, {}}, second{2, {}, {}};
  Data out;
  double shared = 0;
  for (std::size_t i = 0; i < images; ++i) {
    if (i % size == 0) shared = random.normal();
    const double own = random.normal(), luck = size > 1 ? std::numbers::sqrt2 / 2 * (shared + own) : own;
    const double other = 0.8 * luck + 0.6 * random.normal();  // modes are right on much the same images
    const auto label = static_cast<std::size_t>(random.below(2));
    add_choice(first, label, normal_cdf(luck) < a ? label : 1 - label);
    add_choice(second, label, normal_cdf(other) < b ? label : 1 - label);
    if (size > 1) out.clusters.push_back(static_cast<std::uint32_t>(i / size));
  }
  out.first = metric("accuracy").prepare(first);
  out.second = metric("accuracy").prepare(second);
  return out;
}

/// Scores of positives are `apart` deviations above those of negatives; binormal, AUROC = Phi(apart / sqrt 2).
Data ranked(Random& random, std::size_t images, double share, double apart, double apart_second) {
  Predictions first{2, {}, {}}, second{2, {}, {}};
  for (std::size_t i = 0; i < images; ++i) {
    const bool positive = random.uniform() < share;
    const double common = random.normal(), own = random.normal(), other = random.normal();
    const auto add = [&](Predictions& p, double distance, double noise) {
      const double score = normal_cdf((positive ? distance : 0) + std::sqrt(0.5) * (common + noise));
      p.labels.push_back(positive ? 1 : 0);
      p.probabilities.insert(p.probabilities.end(), {1 - score, score});
    };
    add(first, apart, own);
    add(second, apart_second, other);
  }
  return {metric("auroc").prepare(first), metric("auroc").prepare(second)};
}

/// Classes in shares that halve down to 4 %; the k-th is recognised less often, mistakes go evenly to the others.
struct ClassModel {
  std::vector<double> shares, right;
  explicit ClassModel(std::size_t classes, double best) {
    double sum = 0;
    for (std::size_t k = 0; k < classes; ++k) sum += std::pow(0.5, k);
    double total = 0;
    for (std::size_t k = 0; k < classes; ++k) total += std::max(std::pow(0.5, k) / sum, 0.04);
    for (std::size_t k = 0; k < classes; ++k) {
      shares.push_back(std::max(std::pow(0.5, k) / sum, 0.04) / total);
      right.push_back(best - 0.15 * static_cast<double>(k) / static_cast<double>(classes - 1));
    }
  }
  [[nodiscard]] std::size_t label(double u) const {
    std::size_t k = 0;
    while (k + 1 < shares.size() && u >= shares[k]) u -= shares[k++];
    return k;
  }
  [[nodiscard]] std::size_t guess(std::size_t label, double u) const {
    if (u < right[label]) return label;
    const auto others = static_cast<double>(shares.size() - 1);
    const auto which = std::min<std::size_t>(static_cast<std::size_t>((u - right[label]) / (1 - right[label]) * others),
                                             shares.size() - 2);
    return which < label ? which : which + 1;
  }
  /// Macro F1 by its definition, from the probabilities of the cells.
  [[nodiscard]] double macro_f1() const {
    const auto others = static_cast<double>(shares.size() - 1);
    double sum = 0;
    for (std::size_t c = 0; c < shares.size(); ++c) {
      double guessed = shares[c] * right[c];
      for (std::size_t k = 0; k < shares.size(); ++k)
        if (k != c) guessed += shares[k] * (1 - right[k]) / others;
      sum += 2 * shares[c] * right[c] / (shares[c] + guessed);
    }
    return sum / static_cast<double>(shares.size());
  }
};

Data classified(Random& random, std::size_t images, const std::string& name, std::size_t classes, double best,
                double best_second) {
  const ClassModel first(classes, best), second(classes, best_second);
  Predictions a{static_cast<std::int64_t>(classes), {}, {}}, b = a;
  for (std::size_t i = 0; i < images; ++i) {
    const std::size_t label = first.label(random.uniform());
    const double luck = random.uniform();
    add_choice(a, label, first.guess(label, luck));
    add_choice(b, label, second.guess(label, random.uniform() < 0.7 ? luck : random.uniform()));
  }
  return {metric(name).prepare(a), metric(name).prepare(b)};
}

/// Findings of these shares, their scores as in ranked(), correlated within an image.
Data findings(Random& random, std::size_t images, const std::string& name, const std::vector<double>& shares,
              double apart, double apart_second) {
  MultiLabel a{static_cast<std::int64_t>(shares.size()), {}, {}}, b = a;
  for (std::size_t i = 0; i < images; ++i) {
    const double common = random.normal();
    for (const double share : shares) {
      const bool there = random.uniform() < share;
      const double own = 0.9 * random.normal() + 0.45 * common;
      a.labels.push_back(there ? 1 : 0);
      b.labels.push_back(there ? 1 : 0);
      a.probabilities.push_back(normal_cdf((there ? apart : 0) + own));
      b.probabilities.push_back(normal_cdf((there ? apart_second : 0) + 0.8 * own + 0.6 * random.normal()));
    }
  }
  return {over_findings(metric(name), a), over_findings(metric(name), b)};
}

/// Softmax of ten normal logits; labels come of the same logits times `sure`: 1 is calibrated, less is overconfident.
Data calibrated(Random& random, std::size_t images, double sure, double sure_second) {
  constexpr std::size_t kClasses = 10;
  Predictions a{kClasses, {}, {}}, b = a;
  for (std::size_t i = 0; i < images; ++i) {
    std::vector<float> logits(kClasses), other(kClasses), truth(kClasses);
    for (std::size_t k = 0; k < kClasses; ++k) {
      logits[k] = static_cast<float>(2.5 * random.normal());
      other[k] = static_cast<float>(sure / sure_second) * logits[k];  // as much is known, more or less surely
      truth[k] = static_cast<float>(sure) * logits[k];
    }
    double u = random.uniform();
    std::size_t label = 0;
    for (const double p : softmax(truth, kClasses)) {
      if (u < p || label + 1 == kClasses) break;
      u -= p;
      ++label;
    }
    for (Predictions* p : {&a, &b}) {
      const std::vector<double> row = softmax(p == &a ? logits : other, kClasses);
      p->labels.push_back(static_cast<std::int32_t>(label));
      p->probabilities.insert(p->probabilities.end(), row.begin(), row.end());
    }
  }
  return {metric("ece").prepare(a), metric("ece").prepare(b)};
}

/// The truth from one very large sample.
Case with_population(std::string metric, std::string data, std::size_t images,
                     std::function<Data(Random&, std::size_t)> draw) {
  Random random(kSeed, 1'000'000);
  const Data all = draw(random, kPopulation);
  const std::vector<std::uint32_t> once(kPopulation, 1);
  const double first = *all.first(once).value, second = *all.second(once).value;
  return {std::move(metric), std::move(data), images, std::move(draw), first, second};
}

std::vector<Case> cases() {
  std::vector<Case> out;
  const auto accuracy = [&](std::string data, std::size_t n, double a, double b, std::size_t size) {
    out.push_back({"accuracy", std::move(data), n,
                   [=](Random& r, std::size_t images) { return choices(r, images, a, b, size); }, a, b});
  };
  accuracy("0.80", 200, 0.8, 0.85, 1);
  accuracy("0.90", 1000, 0.9, 0.92, 1);
  accuracy("0.98", 100, 0.98, 0.96, 1);
  accuracy("0.85, 60 patients of 5", 300, 0.85, 0.9, 5);
  accuracy("0.95, 25 patients of 4", 100, 0.95, 0.9, 4);
  const auto auroc = [&](std::string data, std::size_t n, double share, double apart, double other) {
    out.push_back({"auroc", std::move(data), n,
                   [=](Random& r, std::size_t images) { return ranked(r, images, share, apart, other); },
                   normal_cdf(apart / std::numbers::sqrt2), normal_cdf(other / std::numbers::sqrt2)});
  };
  auroc("5 % positives", 200, 0.05, 1.5, 1.9);
  auroc("5 % positives", 1000, 0.05, 1.5, 1.9);
  auroc("2 % positives, nearly perfect", 200, 0.02, 3.2, 2.8);
  for (const char* name : {"macro_f1", "balanced_accuracy"})
    for (const auto& row : {std::tuple(5U, 200U, 0.8, 0.85), std::tuple(8U, 500U, 0.75, 0.8)}) {
      const unsigned classes = std::get<0>(row), n = std::get<1>(row);
      const double a = std::get<2>(row), b = std::get<3>(row);
      const auto draw = [=, name = std::string(name)](Random& r, std::size_t images) {
        return classified(r, images, name, classes, a, b);
      };
      const std::string data = fmt::format("{} classes", classes);
      if (std::string_view(name) == "macro_f1")
        out.push_back({name, data, n, draw, ClassModel(classes, a).macro_f1(), ClassModel(classes, b).macro_f1()});
      else
        out.push_back({name, data, n, draw, a - 0.075, b - 0.075});
    }
  const auto precision = [&](std::string data, std::size_t n, const std::vector<double>& shares) {
    out.push_back(with_population("average_precision", std::move(data), n, [=](Random& r, std::size_t images) {
      return findings(r, images, "average_precision", shares, 1.5, 1.8);
    }));
  };
  precision("5 findings of 5 to 30 %", 500, {0.05, 0.1, 0.15, 0.2, 0.3});
  precision("3 findings of 5, 10, 20 %", 300, {0.05, 0.1, 0.2});
  precision("3 findings of 2, 10, 20 %", 1000, {0.02, 0.1, 0.2});
  for (const std::size_t n : {200, 1000})
    for (const auto& [text, sure, other] :
         {std::tuple("calibrated", 1.0, 0.8), std::tuple("a little overconfident", 0.85, 1.0),
          std::tuple("overconfident", 0.6, 0.85)}) {
      Case& one =
          out.emplace_back(with_population("ece", text, n, [=, s = sure, o = other](Random& r, std::size_t images) {
            return calibrated(r, images, s, o);
          }));
      // A calibrated network's is 0; the large sample says 0.002, by the very bias that the interval is about.
      if (sure == 1) one.first = 0;
      if (other == 1) one.second = 0;
    }
  return out;
}

struct Tally {
  int made = 0, held = 0, below = 0, above = 0;  ///< below: the truth lies below the interval
  double width = 0;
  std::string method;
  void add(const IntervalEstimate& estimate, double truth) {
    if (!estimate.interval) return;
    ++made;
    below += truth < estimate.interval->low ? 1 : 0;
    above += truth > estimate.interval->high ? 1 : 0;
    width += estimate.interval->high - estimate.interval->low;
    method = estimate.method;
    held = made - below - above;
  }
};

void print(const Case& one, const char* what, double truth, const Tally& tally, int draws) {
  fmt::print("| {} | {} | {} | {} | {:.3f} | {:.1f} | {:.1f} | {:.1f} | {:.3f} | {}{} |\n", one.metric, one.data,
             one.images, what, truth, 100.0 * tally.held / tally.made, 100.0 * tally.below / tally.made,
             100.0 * tally.above / tally.made, tally.width / tally.made, tally.method,
             tally.made == draws ? "" : fmt::format(" ({} without an interval)", draws - tally.made));
}

}  // namespace

int main(int argc, char** argv) {
  const int draws = argc > 1 ? std::atoi(argv[1]) : 500;
  const std::string_view only = argc > 2 ? argv[2] : "";
  fmt::print("| metric | data | images | of | truth | held, % | truth below, % | above, % | mean width | method |\n");
  fmt::print("|---|---|---|---|---|---|---|---|---|---|\n");
  for (const Case& one : cases()) {
    if (!only.empty() && one.metric != only) continue;
    Tally score, difference;
    for (int draw = 0; draw < draws; ++draw) {
      Random random(kSeed, static_cast<std::uint64_t>(draw));
      const Data data = one.draw(random, one.images);
      Bootstrap options{.resamples = 1000, .seed = static_cast<std::uint64_t>(draw)};
      options.clusters = data.clusters;
      score.add(confidence_interval(data.first, one.images, options), one.first);
      difference.add(paired_difference(data.first, data.second, one.images, options).interval, one.second - one.first);
    }
    print(one, "score", one.first, score, draws);
    print(one, "difference", one.second - one.first, difference, draws);
    std::fflush(stdout);
  }
  return 0;
}
