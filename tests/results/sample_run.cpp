#include "results/sample_run.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace shiftnorm::test {
namespace {

using results::ModeReport;
using results::RunResults;

constexpr int kImages = 500, kClasses = 10;

/// A number in [0, 1) that depends on its arguments only.
double noise(std::uint64_t a, std::uint64_t b) {
  std::uint64_t z = a * 0x9e3779b97f4a7c15U + b * 0xd1b54a32d192ed03U + 1;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

struct Made {
  const char* name;
  const char* policy;
  int right;               ///< images predicted right
  double boost, spread;    ///< how far the predicted class stands out, and how much that varies
  std::int32_t favourite;  ///< what wrong images are mostly taken for; -1: anything
};

/// Easy images are right first, the same ones in most modes: what makes paired comparisons sharp.
std::vector<std::size_t> by_ease(const std::vector<std::int32_t>& labels, const Made& made, std::uint64_t mode) {
  std::vector<std::size_t> order(labels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto ease = [&](std::size_t i) {
    const double liked = labels[i] == made.favourite ? 1.0 : 0.0;
    return noise(i, 1000) + 0.35 * noise(i, 2000 + mode) + 2 * liked;
  };
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return ease(a) > ease(b); });
  return order;
}

std::vector<double> probabilities(const std::vector<std::int32_t>& labels, const Made& made, std::uint64_t mode) {
  std::vector<float> logits(labels.size() * kClasses);
  const std::vector<std::size_t> order = by_ease(labels, made, mode);
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const std::size_t i = order[rank];
    const bool right = rank < static_cast<std::size_t>(made.right);
    std::int32_t guess = labels[i];
    if (!right) {
      const bool liked = made.favourite >= 0 && made.favourite != labels[i] && noise(i, 3000 + mode) < 0.75;
      guess = liked ? made.favourite
                    : (labels[i] + 1 + static_cast<std::int32_t>(noise(i, 4000 + mode) * (kClasses - 1))) % kClasses;
    }
    for (std::size_t k = 0; k < kClasses; ++k)
      logits[i * kClasses + k] = static_cast<float>(noise(i * kClasses + k, 5000 + mode));
    const double sure = made.boost + made.spread * (right ? 1 : 0.6) * noise(i, 6000 + mode);
    logits[i * kClasses + static_cast<std::size_t>(guess)] += static_cast<float>(1 + sure);
  }
  return metrics::softmax(logits, kClasses);
}

metrics::Predictions of(const RunResults& run, const ModeReport& mode) {
  return {static_cast<std::int64_t>(run.classes.size()), run.labels, mode.probabilities};
}

void score(const RunResults& run, ModeReport& mode, const metrics::Bootstrap& bootstrap) {
  const metrics::Predictions p = of(run, mode);
  for (const metrics::MetricSpec& spec : metrics::metric_table()) {
    if (!spec.by_default) continue;
    const metrics::IntervalEstimate made = metrics::confidence_interval(spec, p, bootstrap);
    mode.metrics.push_back({std::string(spec.name), metrics::score(spec, p), made.interval, made.method, made.reason,
                            made.within_classes});
  }
  mode.per_class = metrics::per_class(p);
  mode.confusion = metrics::confusion_matrix(p);
  mode.reliability = metrics::reliability(p);
}

void compare(const RunResults& run, const ModeReport& source, ModeReport& mode, const metrics::Bootstrap& bootstrap) {
  const metrics::Predictions a = of(run, source), b = of(run, mode);
  for (const metrics::MetricSpec& spec : metrics::metric_table()) {
    if (!spec.by_default) continue;
    const metrics::PairedEstimate paired = metrics::paired_difference(spec, a, b, bootstrap);
    if (!paired.difference) continue;
    mode.versus_source.push_back({std::string(spec.name), *paired.difference, paired.interval.interval, paired.test,
                                  paired.p, paired.interval.method, paired.interval.reason,
                                  paired.interval.within_classes});
  }
}

void add_confidence(ModeReport& mode, std::size_t images, std::size_t classes) {
  for (std::size_t i = 0; i < images; ++i) {
    double top = 0;
    for (std::size_t k = 0; k < classes; ++k) {
      const double p = mode.probabilities[i * classes + k];
      top = std::max(top, p);
      if (p > 0) mode.mean_entropy -= p * std::log(p) / static_cast<double>(images);
    }
    mode.mean_confidence += top / static_cast<double>(images);
  }
}

RunResults described() {
  RunResults run;
  run.name = "cifar10-noise";
  run.program_version = "0.1.0";
  run.instruction_set = "avx512";
  run.command = "shiftnorm run configs/cifar10-noise.yaml --root data";
  run.config_yaml =
      "name: cifar10-noise\nseed: 7\nmodel:\n  checkpoint: resnet20-12fca82f.th\n  architecture: cifar_resnet20\n"
      "preprocess: cifar10\ndata:\n  target: {path: cifar10-noise/test}\nprotocol: {kind: transductive}\nmodes:\n"
      "  - source\n  - adabn\n  - {name: blend16, policy: blend, prior_images: 16}\n"
      "  - {name: torch-update-bn, policy: adabn, semantics: batch, estimator: batch-mean, batch: 50, shuffle: off}\n"
      "  - disabled\n  - identity\n"
      "evaluate: {metrics: [accuracy, balanced_accuracy, nll, ece, brier], interval: {method: bootstrap, resamples: "
      "2000, level: 0.95}}\n";
  run.seed = 7;
  run.model_sha256 = "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8";
  run.model_file = "resnet20-12fca82f.th";
  run.architecture = "cifar_resnet20";
  run.preprocess = "cifar10";
  run.preprocess_sha256 = "5ad7bd08a5ad7bd08a5ad7bd08a5ad7bd08a5ad7bd08a5ad7bd08a5ad7bd08ff";
  run.fingerprint = "9b1f0c7788aa39b1f0c7788aa39b1f0c7788aa39b1f0c7788aa39b1f0c778800";
  run.batchnorms = run.levels = 19;
  run.parameters = 269722;
  run.load_seconds = 0.31;
  run.exported_mode = "adabn";
  run.exported_file = "adapted.th";
  return run;
}

}  // namespace

namespace {

/// 19 layers as a ResNet-20 has them: early ones move most.
void add_statistics(ModeReport& mode, std::uint64_t which) {
  for (std::size_t layer = 0; layer < 19; ++layer) {
    const std::string name = layer == 0 ? "bn1"
                                        : "layer" + std::to_string((layer - 1) / 6 + 1) + "." +
                                              std::to_string((layer - 1) % 6 / 2) + ".bn" +
                                              std::to_string((layer - 1) % 2 + 1);
    const double depth = static_cast<double>(layer) / 19, wave = noise(layer, 7000 + which);
    mode.drift.push_back({name, 1.6 * std::exp(-2 * depth) * (0.5 + wave), std::exp2(2.4 * (wave - 0.6)),
                          0.8 * std::exp(-2 * depth), 0.3 * wave, 0});
    mode.settling.layers.push_back(
        {name, 0.012 * (1 + 4 * wave) * (layer == 13 ? 3 : 1), 0.6 * std::exp(-2 * depth) + 0.1});
  }
  mode.settling.images = kImages;
}

}  // namespace

results::RunResults sample_run(std::int64_t resamples) {
  RunResults run = described();
  run.classes = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  run.images = kImages;
  run.skipped = 3;
  run.resamples = resamples;
  run.bad = {{"dog/0107.jpg", "JPEG data end after 812 of 1620 bytes; expected a whole image"},
             {"truck/<script>alert(1)</script>.png", "not a PNG: begins with 'GIF89a'"}};
  for (int i = 0; i < kImages; ++i) {
    run.labels.push_back(i / (kImages / kClasses));
    run.ids.push_back(run.classes[static_cast<std::size_t>(run.labels.back())] + "/" +
                      std::to_string(10000 + i % 50).substr(1) + ".png");
  }
  const metrics::Bootstrap bootstrap{resamples, 0.95, 7, 1};
  const std::vector<Made> table{{"source", "source", 94, 1.2, 4, 2},     {"adabn", "adabn", 263, 0.4, 5, -1},
                                {"blend16", "blend", 270, 0.4, 4.6, -1}, {"torch-update-bn", "adabn", 261, 0.4, 5, -1},
                                {"disabled", "disabled", 58, 3, 4, 6},   {"identity", "identity", 50, 9, 6, 3}};
  for (std::size_t m = 0; m < table.size(); ++m) {
    ModeReport mode;
    mode.mode.name = table[m].name;
    mode.mode.policy = table[m].policy;
    // What measured: source, disabled and identity do not.
    if (mode.mode.policy == "adabn" || mode.mode.policy == "blend") {
      mode.mode.semantics = "layerwise";
      mode.mode.estimator = "population";
    }
    mode.probabilities = probabilities(run.labels, table[m], m);
    mode.adapt_seconds = mode.mode.measured() ? 1.2 + 0.1 * static_cast<double>(m) : 0;
    mode.evaluate_seconds = 0.8;
    mode.images_per_second = 410 + 3.7 * static_cast<double>(m);
    run.modes.push_back(std::move(mode));
  }
  run.modes[2].mode.prior_images = 16;
  run.modes[3].mode.semantics = "batch";
  run.modes[3].mode.estimator = "batch-mean";
  run.modes[3].mode.batch = 50;
  run.modes[3].note = "batch-mean loses about 1/50 of the variance between images";
  for (const std::size_t layerwise : {1U, 2U}) add_statistics(run.modes[layerwise], 0);
  add_statistics(run.modes[3], 1);
  for (ModeReport& mode : run.modes) {
    score(run, mode, bootstrap);
    add_confidence(mode, kImages, kClasses);
    if (&mode != &run.modes.front()) compare(run, run.modes.front(), mode, bootstrap);
  }
  return run;
}

results::RunResults unlabelled_run() {
  RunResults run = sample_run(2);
  run.labels.assign(run.labels.size(), -1);
  for (ModeReport& mode : run.modes) {
    mode.metrics.clear();
    mode.versus_source.clear();
    mode.per_class.clear();
    mode.confusion.clear();
    mode.reliability.clear();
  }
  return run;
}

results::RunResults small_run(const std::vector<bool>& source_right, const std::vector<bool>& other_right) {
  RunResults run = described();
  run.classes = {"no", "yes"};
  run.images = static_cast<std::int64_t>(source_right.size());
  run.resamples = 200;
  for (std::size_t i = 0; i < source_right.size(); ++i) {
    run.ids.push_back("image" + std::to_string(i));
    run.labels.push_back(static_cast<std::int32_t>(i % 2));
  }
  for (const std::vector<bool>* right : {&source_right, &other_right}) {
    ModeReport mode;
    mode.mode.name = right == &source_right ? "source" : "adabn";
    mode.mode.policy = right == &source_right ? "source" : "adabn";
    for (std::size_t i = 0; i < right->size(); ++i) {
      const bool says_yes = (*right)[i] == (i % 2 == 1);
      mode.probabilities.push_back(says_yes ? 0.25 : 0.75);
      mode.probabilities.push_back(says_yes ? 0.75 : 0.25);
    }
    run.modes.push_back(std::move(mode));
  }
  const metrics::Bootstrap bootstrap{run.resamples, 0.95, 7, 1};
  for (ModeReport& mode : run.modes) score(run, mode, bootstrap);
  compare(run, run.modes[0], run.modes[1], bootstrap);
  return run;
}

}  // namespace shiftnorm::test
