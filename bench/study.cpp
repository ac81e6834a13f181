// Measures when which treatment of BatchNorm helps, on real images: one CSV row per measurement, appended to a file, so
// that an interrupted study continues where it was. scripts/study runs it and writes docs/study.md from the rows.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/imaging/sample_store.hpp"
#include "shiftnorm/stats/settling.hpp"
#include "shiftnorm/toolkit/restore.hpp"

namespace {

using namespace shiftnorm;
using namespace shiftnorm::adapt;
namespace fs = std::filesystem;

constexpr std::int64_t kPerClass = 50;
constexpr std::size_t kCounts[] = {10, 50, 200, 500};
constexpr std::int64_t kBatches[] = {1, 2, 8, 64};
constexpr const char* kHeader =
    "network,data,mode,batch,order,images,draw,correct,of,error_worst,error_mean,deviation,shift,prior";

struct Network {
  const char *name, *file, *architecture;
};
constexpr Network kNetworks[] = {{"ResNet-20", "checkpoints/resnet20-12fca82f.th", "cifar_resnet20"},
                                 {"ResNet-56", "checkpoints/resnet56-4bfd9763.th", "cifar_resnet56"}};
struct Data {
  const char *name, *folder;
};
constexpr Data kData[] = {{"noise", "cifar10-noise/test"}, {"jpeg", "cifar10/test"}};

/// splitmix64, as the engine draws: the same subsets on every platform.
std::uint64_t next_random(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

/// `count` of `all` images, in ascending order: class by class, as the folders lie.
std::vector<std::size_t> drawn(std::size_t all, std::size_t count, std::uint64_t seed) {
  std::vector<std::size_t> order(all);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = 0; i < count; ++i) std::swap(order[i], order[i + next_random(seed) % (all - i)]);
  order.resize(count);
  std::sort(order.begin(), order.end());
  return order;
}

struct Row {
  std::string network, data, mode, order = "any";
  std::int64_t batch = 0;
  std::size_t images = 0;
  int draw = 1;
  [[nodiscard]] std::string key() const {
    return fmt::format("{},{},{},{},{},{},{}", network, data, mode, batch, order, images, draw);
  }
};

/// The rows of a file, and what is appended to it.
class Table {
 public:
  explicit Table(const fs::path& path) : path_(path) {
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) {
      std::size_t at = 0;
      for (int comma = 0; comma < 7 && at != std::string::npos; ++comma) at = line.find(',', at + 1);
      if (at != std::string::npos) done_.insert(line.substr(0, at));
    }
    if (done_.empty()) std::ofstream(path) << kHeader << '\n';
  }
  [[nodiscard]] bool has(const Row& row) const { return done_.contains(row.key()); }
  void add(const Row& row, const std::string& numbers) {
    std::ofstream(path_, std::ios::app) << row.key() << ',' << numbers << '\n';
    done_.insert(row.key());
  }

 private:
  fs::path path_;
  std::set<std::string> done_;
};

class Study {
 public:
  Study(const fs::path& data, const Network& network, const Data& set, int threads, Table& table)
      : network_(network), set_(set), table_(table) {
    const toolkit::RestoredModel model = toolkit::restore(data / network.file, network.architecture);
    engine_ = std::make_unique<Engine>(model.graph, EngineOptions{threads, 0, ""});
    imaging::DatasetOptions options;
    options.limit.per_class = kPerClass;
    store_ = std::make_unique<imaging::SampleStore>(imaging::open_dataset((data / set.folder).string(), options),
                                                    imaging::preset("cifar10"), Shape{3, 32, 32},
                                                    imaging::StoreOptions{threads}, Progress{});
    all_ = {store_->size(), [this](std::size_t i, std::span<float> dst) { store_->load(i, dst); }};
    for (const std::size_t count : kCounts)
      if (count > all_.count) throw ConfigError(fmt::format("{} images; expected {} or more", all_.count, count));
  }

  /// What needs no measurement beforehand.
  void unadapted(int draw) {
    if (draw == 1) {
      whole({.policy = Policy::source}, "source", 0, "any", draw);
      whole({.policy = Policy::instance}, "batch", 1, "any", draw);
    }
    for (const std::int64_t batch : {2, 8, 64}) {
      if (draw == 1) whole({.policy = Policy::batch, .batch = batch}, "batch", batch, "by class", draw);
      whole({.policy = Policy::batch, .batch = batch, .shuffle = draw}, "batch", batch, "shuffled", draw);
      Mode blended{.policy = Policy::batch, .batch = batch, .shuffle = draw, .prior_images = 16};
      whole(blended, "batch-blend16", batch, "shuffled", draw);
    }
  }

  void adapted(std::size_t count, int draw) {
    subset_ = drawn(all_.count, count, static_cast<std::uint64_t>(1000 * draw));
    const bool everything = count == all_.count;
    if (!everything || draw == 1) order_free(count, draw);
    for (const std::int64_t batch : kBatches)
      for (const bool shuffled : {false, true}) {
        // All images in arrival order are the same in every draw.
        if (everything && draw > 1 && !shuffled) continue;
        const auto seed = shuffled ? std::optional<std::uint64_t>(draw) : std::nullopt;
        const std::string order = shuffled ? "shuffled" : "by class";
        const auto in_batches = [&](Estimator estimator, const char* name, std::optional<double> momentum = {}) {
          measured({.semantics = Semantics::batch,
                    .estimator = estimator,
                    .batch = batch,
                    .momentum = momentum,
                    .shuffle = seed},
                   name, batch, order, count, draw);
        };
        if (batch > 1 || !shuffled) in_batches(Estimator::batch_mean, "batch-mean");
        if (batch > 1) in_batches(Estimator::population, "batch-population");
        in_batches(Estimator::ema, "ema", 0.1);
        if (batch == 1) in_batches(Estimator::dua, "dua");
      }
  }

 private:
  [[nodiscard]] Images subset() const {
    return {subset_.size(), [this](std::size_t i, std::span<float> dst) { store_->load(subset_[i], dst); }};
  }

  [[nodiscard]] int correct(const Outputs& outputs) const {
    int right = 0;
    for (std::size_t i = 0; i < all_.count; ++i) {
      const auto row = outputs.values.begin() + static_cast<std::ptrdiff_t>(i) * outputs.width;
      right += std::max_element(row, row + outputs.width) - row == store_->sample(i).label ? 1 : 0;
    }
    return right;
  }

  [[nodiscard]] Row row(const char* mode, std::int64_t batch, const std::string& order, std::size_t count,
                        int draw) const {
    return {network_.name, set_.name, mode, order, batch, count, draw};
  }

  void whole(const Mode& mode, const char* name, std::int64_t batch, const std::string& order, int draw) {
    const Row at = row(name, batch, order, all_.count, draw);
    if (table_.has(at)) return;
    const ModeResult result = engine_->run(mode, all_, adapt::kSameImages, {});
    table_.add(at, fmt::format("{},{},,,,,", correct(*result.outputs), all_.count));
  }

  void measured(const Mode& mode, const char* name, std::int64_t batch, const std::string& order, std::size_t count,
                int draw) {
    const Row at = row(name, batch, order, count, draw);
    if (table_.has(at)) return;
    const ModeResult result = engine_->run(mode, subset(), &all_, {});
    table_.add(at, fmt::format("{},{},,,,,", correct(*result.outputs), all_.count));
  }

  /// The layerwise measurement and the policies that follow from it; the source-normalised one.
  void order_free(std::size_t count, int draw) {
    measured({.semantics = Semantics::source}, "source-normalised", 0, "any", count, draw);
    const Row at = row("shrink", 0, "any", count, draw);
    if (table_.has(at)) return;
    const stats::Statistics target = engine_->measure({}, subset(), {});
    const auto settling = stats::settling(stats::Pooling::values, target, engine_->source());
    const std::optional<double> prior = stats::shrinking_prior(settling, static_cast<std::int64_t>(count));
    double error = 0, shift = 0;
    for (const auto& layer : settling) {
      error += layer.error * layer.error / static_cast<double>(settling.size());
      shift += layer.shift * layer.shift / static_cast<double>(settling.size());
    }
    if (everything_.empty()) everything_ = engine_->measure({}, all_, {});
    const std::string facts =
        fmt::format("{:.5f},{:.5f},{:.5f},{:.5f},{}", stats::least_settled(settling)->error, std::sqrt(error),
                    deviation(target), std::sqrt(shift), prior ? fmt::format("{:.3f}", *prior) : std::string());
    const auto under = [&](const Mode& mode, const char* name) {
      const Row one = row(name, 0, "any", count, draw);
      if (table_.has(one)) return;
      const stats::Statistics used =
          apply_policy(mode, engine_->batch_norms(), engine_->source(), target, static_cast<std::int64_t>(count));
      table_.add(one, fmt::format("{},{},{}", correct(engine_->infer(used, all_, {})), all_.count, facts));
    };
    under({}, "adabn");
    under({.policy = Policy::blend, .prior_images = 16}, "blend16");
    under({.policy = Policy::hybrid_decay}, "hybrid-decay");
    // Nothing learned: the source.
    under(prior ? Mode{.policy = Policy::blend, .prior_images = *prior} : Mode{.policy = Policy::source}, "shrink");
  }

  /// Root mean square over layers of the distance to the statistics of all images, in their standard deviations: what
  /// the predicted error is to be held against.
  [[nodiscard]] double deviation(const stats::Statistics& target) const {
    const auto layers = stats::settling(stats::Pooling::values, everything_, target);
    double sum = 0;
    for (const auto& layer : layers) sum += layer.shift * layer.shift;
    return std::sqrt(sum / static_cast<double>(layers.size()));
  }

  const Network& network_;
  const Data& set_;
  Table& table_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<imaging::SampleStore> store_;
  Images all_;
  std::vector<std::size_t> subset_;
  stats::Statistics everything_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: study DATA_FOLDER ROWS.csv DRAWS THREADS\n");
    return 2;
  }
  try {
    Table table(argv[2]);
    const int draws = std::stoi(argv[3]), threads = std::stoi(argv[4]);
    // One draw of everything before the second, so that a study stopped early is complete as far as it goes.
    for (int draw = 1; draw <= draws; ++draw)
      for (const Network& network : kNetworks)
        for (const Data& data : kData) {
          Study study(argv[1], network, data, threads, table);
          study.unadapted(draw);
          for (const std::size_t count : kCounts) study.adapted(count, draw);
          fmt::print(stderr, "{} on {}, draw {}: done\n", network.name, data.name, draw);
        }
  } catch (const std::exception& e) {
    fmt::print(stderr, "study: {}\n", e.what());
    return 1;
  }
  return 0;
}
