// Rates of one zoo architecture with random weights: its bare convolutions, evaluation with source statistics, and
// exact layerwise re-estimation, interleaved in one process: medians of ROUNDS runs after one that is not timed, in
// which memory is taken and caches are filled. One JSON line. usage: bench_network ARCHITECTURE THREADS IMAGES
// [ROUNDS=5] [SIDE=0: the architecture's own] [bare|evaluate|adabn] The last argument measures one of the three alone,
// for a profiler or a comparison with peers.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>

#include "bare_convolutions.hpp"
#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/exec/instruction_set.hpp"
#include "shiftnorm/graph/shapes.hpp"
#include "shiftnorm/zoo/zoo.hpp"

namespace {

using namespace shiftnorm;

/// Weights like those of a trained network: He-scaled convolutions, BatchNorms near their input's statistics.
void fill(graph::Graph& graph) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (const graph::ValueId id : graph.parameters()) {
    graph::Value& value = graph.value(id);
    if (value.tensor) continue;
    value.tensor = Tensor(*value.shape);
    const float spread =
        value.shape->rank() > 1 ? std::sqrt(2.0f / static_cast<float>(value.shape->elements_from(1))) : 0.1f;
    const bool around_one = value.shape->rank() == 1 && (value.name.ends_with("weight") || value.name.ends_with("var"));
    for (float& v : value.tensor->values) v = around_one ? 1.0f : spread * normal(random);
  }
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fputs("usage: bench_network ARCHITECTURE THREADS IMAGES [ROUNDS] [SIDE] [bare|evaluate|adabn]\n", stderr);
    return 2;
  }
  try {
    const int threads = std::atoi(argv[2]), rounds = argc > 4 ? std::atoi(argv[4]) : 5;
    const std::int64_t side = argc > 5 ? std::atoi(argv[5]) : 0;
    const auto count = static_cast<std::size_t>(std::atoi(argv[3]));
    zoo::BuildOptions options;
    options.height = options.width = side;
    graph::Graph graph = zoo::architecture(argv[1]).build(options);
    graph::infer_shapes(graph);
    fill(graph);
    const auto floats = static_cast<std::size_t>(graph.value(graph.input()).shape->elements());
    std::vector<float> pixels(floats * 16);
    std::mt19937 random(11);
    std::normal_distribution<float> normal;
    for (float& p : pixels) p = normal(random);
    const adapt::Images images{count, [&](std::size_t i, std::span<float> dst) {
                                 std::copy_n(pixels.data() + i % 16 * floats, floats, dst.data());
                               }};
    bench::BareConvolutions bare(graph, threads);
    const std::string_view only = argc > 6 ? argv[6] : "";
    if (only == "bare") {
      static_cast<void>(bare.rate(8));
      std::vector<double> rates;
      for (int round = 0; round < rounds; ++round) rates.push_back(bare.rate(count));
      fmt::print(
          "{{\"network\":\"{}\",\"threads\":{},\"instruction_set\":\"{}\",\"bare\":{:.3f},\"bare_gflops\":{:.1f}}}\n",
          argv[1], threads, exec::instruction_set(), median(rates), median(rates) * bare.flops_per_image() * 1e-9);
      return 0;
    }
    adapt::Engine engine(graph, {threads, 0, ""});
    const auto timed = [&](const auto& work) {
      const auto start = std::chrono::steady_clock::now();
      work();
      return static_cast<double>(count) /
             std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    const auto evaluate = [&] { static_cast<void>(engine.infer(engine.source(), images, {})); };
    const auto adabn = [&] { static_cast<void>(engine.measure({}, images, {})); };
    if (!only.empty()) {
      const auto work = [&] { only == "adabn" ? adabn() : evaluate(); };
      work();
      std::vector<double> rates;
      for (int round = 0; round < rounds; ++round) rates.push_back(timed(work));
      fmt::print("{{\"network\":\"{}\",\"threads\":{},\"images\":{},\"{}\":{:.3f}}}\n", argv[1], threads, count, only,
                 median(rates));
      return 0;
    }
    std::vector<double> bare_rate, evaluate_rate, adabn_rate, evaluate_ratio, adabn_ratio, adabn_cost;
    static_cast<void>(bare.rate(8));
    adabn();
    evaluate();
    for (int round = 0; round < rounds; ++round) {
      bare_rate.push_back(bare.rate(count));
      adabn_rate.push_back(timed(adabn));
      evaluate_rate.push_back(timed(evaluate));
      adabn_ratio.push_back(adabn_rate.back() / bare_rate.back());
      adabn_cost.push_back(evaluate_rate.back() / adabn_rate.back());
      evaluate_ratio.push_back(evaluate_rate.back() / bare_rate.back());
    }
    fmt::print(
        "{{\"network\":\"{}\",\"threads\":{},\"images\":{},\"instruction_set\":\"{}\",\"bare\":{:.3f},\"evaluate\":{:."
        "3f},\"adabn\":{:.3f},"
        "\"adabn_in_forward_passes\":{:.3f},\"evaluate_to_bare\":{:.3f},\"adabn_to_bare\":{:.3f},\"bare_gflops\":{:.1f}"
        "}}\n",
        argv[1], threads, count, exec::instruction_set(), median(bare_rate), median(evaluate_rate), median(adabn_rate),
        median(adabn_cost), median(evaluate_ratio), median(adabn_ratio),
        median(bare_rate) * bare.flops_per_image() * 1e-9);
  } catch (const Error& e) {
    fmt::print(stderr, "bench_network: {}\n", e.what());
    return 1;
  }
  return 0;
}
