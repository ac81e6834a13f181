#include "shiftnorm/exec/sweep.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <mutex>

#include "exec/random_network.hpp"
#include "schedule.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/exec/reference.hpp"
#include "support/near.hpp"

using namespace shiftnorm;
using namespace shiftnorm::test;
using Catch::Matchers::Contains;

namespace {

/// Two residual blocks, one with a normalised shortcut, on 3 x 12 x 12: five levels.
Graph network() {
  Graph g;
  ValueId x = g.add("Relu", "r0", {norm(g, "bn0", conv(g, "c0", g.add_input("x", Shape{1, 3, 12, 12}), 3, 16), 16)});
  const ValueId y = norm(
      g, "bn2", conv(g, "c2", g.add("Relu", "r1", {norm(g, "bn1", conv(g, "c1", x, 16, 24, 3, 2), 24)}), 24, 24), 24);
  x = g.add("Relu", "r2", {g.add("Add", "a1", {y, norm(g, "down", conv(g, "c3", x, 16, 24, 1, 2), 24)})});
  const ValueId z =
      norm(g, "bn4", conv(g, "c5", g.add("Relu", "r3", {norm(g, "bn3", conv(g, "c4", x, 24, 24), 24)}), 24, 24), 24);
  x = g.add("Relu", "r4", {g.add("Add", "a2", {z, x})});
  const ValueId flat = g.add("Flatten", "flat", {g.add("GlobalAveragePool", "gap", {x})});
  finish(g, g.add("Gemm", "fc", {flat, g.add_parameter("w", Shape{24, 5})}));
  return g;
}

/// What DenseNets and inverted residuals are made of: concatenations of what was concatenated before, of parts that do
/// and do not fill blocks, and expansions much larger than what they are computed from.
Graph dense_network() {
  Graph g;
  const auto join = [&g](const char* name, std::vector<ValueId> parts) {
    return g.add("Concat", name, std::move(parts), {{"axis", std::int64_t{1}}});
  };
  const ValueId a = conv(g, "c0", g.add_input("x", Shape{1, 3, 12, 12}), 3, 16);
  const ValueId b = conv(g, "c1", g.add("Relu", "r0", {norm(g, "bn0", a, 16)}), 16, 32);
  const ValueId ab = join("ab", {a, b});
  const ValueId wide = conv(g, "c2", g.add("Relu", "r1", {norm(g, "bn1", ab, 48)}), 48, 160, 1);
  const ValueId c = conv(g, "c3", g.add("Relu", "r2", {norm(g, "bn2", wide, 160)}), 160, 16);
  const ValueId abc = join("abc", {a, b, c});
  const ValueId uneven = conv(g, "c4", g.add("Relu", "r3", {norm(g, "bn3", abc, 64)}), 64, 24, 1);
  const ValueId twice = join("twice", {join("inner", {c, uneven}), c, g.add("Relu", "r4", {abc})});
  const ValueId y = norm(g, "bn4", twice, 120);
  finish(g, g.add("Flatten", "flat", {g.add("GlobalAveragePool", "gap", {y})}));
  return g;
}

/// An inverted residual: convolutions that take their normalisation with them once it is finalized.
Graph separable_network() {
  Graph g;
  const ValueId x =
      g.add("Relu", "r0", {norm(g, "bn0", conv(g, "c0", g.add_input("x", Shape{1, 3, 12, 12}), 3, 16), 16)});
  const ValueId wide = g.add("Relu", "r1", {norm(g, "bn1", conv(g, "expand", x, 16, 160, 1), 160)});
  const ValueId w = g.add_parameter("depthwise.weight", Shape{160, 1, 3, 3});
  const ValueId deep = g.add("Conv", "depthwise", {wide, w}, {{"pads", Ints(4, 1)}, {"group", std::int64_t{160}}});
  const ValueId y = conv(g, "project", g.add("Relu", "r2", {norm(g, "bn2", deep, 160)}), 160, 16, 1);
  const ValueId z = g.add("Add", "add", {norm(g, "bn3", conv(g, "c4", norm(g, "bn4", y, 16), 16, 16, 1), 16), x});
  finish(g, g.add("Flatten", "flat", {g.add("GlobalAveragePool", "gap", {z})}));
  return g;
}

Graph any_network() {
  const int which = GENERATE(0, 1, 2);
  return which == 0 ? network() : which == 1 ? dense_network() : separable_network();
}

constexpr std::size_t kImages = 12, kFloats = std::size_t{3} * 12 * 12;

std::vector<float> image(std::size_t i) { return random_floats(kFloats, 1000 + static_cast<unsigned>(i)); }

struct Measured {
  std::vector<stats::ChannelMoments> moments;
  std::vector<std::vector<float>> outputs;
};

struct Setting {
  int threads = 2;
  bool reversed = false;
  std::uint64_t memory = 0;
};

/// Layerwise: each level finalized with its own measured mean and population variance, gamma 1 and beta 0.
Measured layerwise(const Graph& g, const Setting& setting) {
  const auto plan = std::make_shared<exec::Plan>(g);
  exec::Sweeper sweeper(plan, {setting.threads, setting.memory, ""});
  exec::SweepRequest r = inference(g, *plan, kImages);
  for (std::size_t i = 0; i < r.levels.size(); ++i) r.levels[i] = plan->sets()[i].level;
  if (setting.reversed) std::reverse(r.groups[0].begin(), r.groups[0].end());
  Measured out{std::vector<stats::ChannelMoments>(r.levels.size()), std::vector<std::vector<float>>(kImages)};
  r.load = [](std::size_t i, std::span<float> dst) { std::ranges::copy(image(i), dst.begin()); };
  r.output = [&](std::size_t i, std::size_t, std::span<const float> row) {
    out.outputs[i].assign(row.begin(), row.end());
  };
  r.finalize_level = [&](std::size_t, std::int64_t, std::span<const exec::LevelMoments> moments,
                         std::span<exec::Affine> affines) {
    for (const exec::LevelMoments& m : moments) {
      std::vector<double> scale, shift, mean = m.moments.mean(),
                                        variance = m.moments.variance(stats::Divisor::population);
      for (std::size_t c = 0; c < mean.size(); ++c) {
        scale.push_back(1 / std::sqrt(variance[c] + 1e-5));
        shift.push_back(-mean[c] * scale.back());
      }
      affines[m.set] = plan->affine(scale, shift);
      out.moments[m.set] = m.moments;
    }
  };
  sweeper.run(r, {});
  return out;
}

}  // namespace

// Law: threads, order and spilling change no bit of what one thread finds in memory.
TEST_CASE("A layerwise sweep has the same bits for any threads, order and spilling", "[exec]") {
  const Graph g = any_network();
  const Measured expected = layerwise(g, {1, false, 0});
  const auto setting =
      GENERATE(values<Setting>({{2, false, 0}, {4, false, 0}, {3, true, 0}, {2, true, 1}, {1, true, 1}}));
  const Measured found = layerwise(g, setting);
  CHECK(found.moments == expected.moments);
  CHECK(found.outputs == expected.outputs);
}

// Oracle: the definition, one pass of the plain loops per layer, each with all earlier layers already on their target
// statistics.
TEST_CASE("A layerwise sweep equals one pass per layer", "[exec]") {
  Graph g = any_network();
  const Measured found = layerwise(g, {});
  const exec::Plan plan(g);
  for (const graph::BatchNorm& set : plan.sets()) {
    g.value(set.scale).tensor =
        Tensor(Shape{set.channels}, std::vector<float>(static_cast<std::size_t>(set.channels), 1.0f));
    g.value(set.bias).tensor = Tensor(Shape{set.channels});
  }
  const ValueId logits = g.outputs().front();
  for (std::int64_t level = 1; level <= 5; ++level) {
    for (std::size_t s = 0; s < plan.sets().size(); ++s) {
      const graph::BatchNorm& set = plan.sets()[s];
      if (set.level != level) continue;
      const ValueId input = g.nodes()[set.nodes[0]].inputs[0];
      g.set_outputs({input});
      const auto channels = static_cast<std::size_t>(set.channels);
      std::vector<double> sum(channels), square(channels);
      std::size_t plane = 0;
      for (std::size_t i = 0; i < kImages; ++i) {
        const std::vector<float> x = exec::run_reference(g, image(i)).front();
        plane = x.size() / channels;
        for (std::size_t k = 0; k < x.size(); ++k) {
          sum[k / plane] += static_cast<double>(x[k]);
          square[k / plane] += static_cast<double>(x[k]) * static_cast<double>(x[k]);
        }
      }
      const double n = static_cast<double>(plane * kImages);
      const std::vector<double> mean = found.moments[s].mean(),
                                variance = found.moments[s].variance(stats::Divisor::population);
      for (std::size_t c = 0; c < channels; ++c) {
        const double m = sum[c] / n, v = square[c] / n - m * m;
        // 1e-5: float32 activations, sums of a few hundred products.
        CHECK(std::abs(mean[c] - m) < 1e-5 * std::sqrt(v));
        CHECK(variance[c] == Approx(v).epsilon(1e-5));
        g.value(set.mean).tensor->values[c] = static_cast<float>(m);
        g.value(set.variance).tensor->values[c] = static_cast<float>(v);
      }
    }
  }
  g.set_outputs({logits});
  for (std::size_t i = 0; i < kImages; ++i) {
    const std::vector<float> expected = exec::run_reference(g, image(i)).front();
    for (std::size_t k = 0; k < expected.size(); ++k) CHECK(found.outputs[i][k] == Approx(expected[k]).margin(1e-4));
  }
}

// Oracle: the channels of dense_network(), by hand.
TEST_CASE("What several BatchNorms see of the same concatenated values is measured once", "[exec]") {
  const Graph g = dense_network();
  const exec::Plan plan(g);
  std::vector<std::int64_t> levels;
  for (const graph::BatchNorm& set : plan.sets()) levels.push_back(set.level);
  const bool layerwise = GENERATE(true, false);
  const exec::Schedule schedule = exec::make_schedule(plan.program(), levels, layerwise, 1, 0);
  std::vector<std::int64_t> measured;  // channels, in the order of sets
  for (const exec::Segment& segment : schedule.segments)
    for (const exec::Action& action : segment.actions)
      for (const exec::PartIndex part : action.parts) measured.push_back(schedule.parts[part].channels);
  std::ranges::sort(measured);
  // bn0: a; bn1: b beside it; bn2: wide; bn3: c beside both; bn4: a concatenation of uneven parts, as a whole.
  CHECK(measured == std::vector<std::int64_t>{16, 16, 32, 120, 160});
}

// Law: measuring changes no output.
TEST_CASE("An evaluation has the bits of a sweep that measures the same layers", "[exec]") {
  const Graph g = any_network();
  const auto plan = std::make_shared<exec::Plan>(g);
  const auto outputs = [&](bool measured) {
    exec::SweepRequest r = inference(g, *plan, kImages);
    r.layerwise = false;
    for (std::int64_t& level : r.levels) level = measured ? 1 : 0;
    std::vector<std::vector<float>> out(kImages);
    r.load = [](std::size_t i, std::span<float> dst) { std::ranges::copy(image(i), dst.begin()); };
    r.output = [&](std::size_t i, std::size_t, std::span<const float> row) { out[i].assign(row.begin(), row.end()); };
    r.finalize_level = [](auto&&...) {};
    exec::Sweeper(plan, {1, 0, ""}).run(r, {});
    return out;
  };
  CHECK(outputs(true) == outputs(false));
}

// Oracle: the plain loops. 64 channels of 48 x 48 pixels are several chunks of Winograd's tiles, and what one chunk
// writes must not be what a later one reads.
TEST_CASE("A convolution whose source is also its residual does not write over it", "[exec]") {
  Graph g;
  const bool normalised = GENERATE(true, false);
  const ValueId x =
      g.add("Relu", "r0", {norm(g, "bn0", conv(g, "c0", g.add_input("x", Shape{1, 3, 48, 48}), 3, 64), 64)});
  const ValueId y = conv(g, "c1", x, 64, 64);
  const ValueId z = g.add("Relu", "r1", {g.add("Add", "add", {normalised ? norm(g, "bn1", y, 64) : y, x})});
  const ValueId pooled = g.add("GlobalAveragePool", "gap", {norm(g, "bn2", z, 64)});
  finish(g, {z, pooled});
  const std::vector<float> image = random_floats(std::size_t{3} * 48 * 48, 7);
  const auto expected = exec::run_reference(g, image), found = run_compiled(g, image);
  // 1e-5: float32 sums of 576 products, Winograd's rounding.
  for (std::size_t k = 0; k < expected.size(); ++k)
    CHECK_THAT(test::as_doubles(found[k]), test::near_largest(expected[k], 1e-5));
}

// Oracle: each group swept alone.
TEST_CASE("Groups do not see each other and end in order", "[exec]") {
  const Graph g = network();
  const auto plan = std::make_shared<exec::Plan>(g);
  const int threads = GENERATE(1, 2, 5);
  exec::Sweeper sweeper(plan, {threads, 0, ""});
  const auto run = [&](std::vector<std::vector<std::size_t>> groups) {
    exec::SweepRequest r = inference(g, *plan, 0);
    for (std::size_t i = 0; i < r.levels.size(); ++i) r.levels[i] = plan->sets()[i].level;
    r.groups = std::move(groups);
    r.load = [](std::size_t i, std::span<float> dst) { std::ranges::copy(image(i), dst.begin()); };
    std::mutex mutex;
    std::map<std::pair<std::size_t, std::size_t>, std::vector<double>> means;
    std::vector<std::size_t> ended;
    r.finalize_level = [&](std::size_t group, std::int64_t, std::span<const exec::LevelMoments> moments,
                           std::span<exec::Affine>) {
      const std::lock_guard lock(mutex);
      for (const exec::LevelMoments& m : moments) means[{group, m.set}] = m.moments.mean();
    };
    r.group_done = [&](std::size_t group) { ended.push_back(group); };
    sweeper.run(r, {});
    CHECK(std::ranges::is_sorted(ended));
    CHECK(ended.size() == r.groups.size());
    return means;
  };
  const auto apart = run({{0, 1, 2}, {3, 4}, {5, 6, 7, 8}});
  const auto alone = run({{3, 4}});
  for (std::size_t set = 0; set < plan->sets().size(); ++set) CHECK(apart.at({1, set}) == alone.at({0, set}));
}

// Oracle: the image that was spoilt, 7, and the first BatchNorm behind it.
TEST_CASE("A non-finite activation names its layer and image", "[exec]") {
  const Graph g = network();
  const auto plan = std::make_shared<exec::Plan>(g);
  exec::Sweeper sweeper(plan, {2, 0, ""});
  exec::SweepRequest r = inference(g, *plan, kImages);
  for (std::size_t i = 0; i < r.levels.size(); ++i) r.levels[i] = plan->sets()[i].level;
  r.load = [](std::size_t i, std::span<float> dst) {
    std::ranges::copy(image(i), dst.begin());
    if (i == 7) dst[100] = std::numeric_limits<float>::infinity();
  };
  r.finalize_level = [](std::size_t, std::int64_t, std::span<const exec::LevelMoments>, std::span<exec::Affine>) {};
  CHECK_THROWS_WITH(sweeper.run(r, {}), Contains("layer 'bn0'") && Contains("image 7"));
}

// Oracle: separable_network() by hand: one projection reads a carried value; none does where nothing is measured.
TEST_CASE("A projection normalises what was carried as it reads it", "[exec]") {
  const Graph g = separable_network();
  const exec::Plan plan(g);
  std::vector<std::int64_t> levels;
  for (const graph::BatchNorm& set : plan.sets()) levels.push_back(set.level);
  const auto prologues = [&](const std::vector<std::int64_t>& of) {
    int count = 0;
    for (const exec::Segment& segment : exec::make_schedule(plan.program(), of, true, 1, 0).segments)
      for (const exec::Action& action : segment.actions)
        count += !action.measures() && plan.program().steps[action.step].prologue;
    return count;
  };
  CHECK(prologues(levels) == 1);
  // With nothing measured before it, the depthwise convolution normalises as it writes.
  CHECK(prologues(std::vector<std::int64_t>(levels.size(), 0)) == 0);
}

// Oracle: the channels carried at the peak, by hand: 64 of the concatenation and 160 of an expansion.
TEST_CASE("What is cheap to compute again is not carried when carrying costs", "[exec]") {
  const Graph g = dense_network();
  const auto plan = std::make_shared<exec::Plan>(g);
  exec::SweepRequest r = inference(g, *plan, kImages);
  for (std::size_t i = 0; i < r.levels.size(); ++i) r.levels[i] = plan->sets()[i].level;
  const exec::SweepEstimate roomy = exec::Sweeper(plan, {1, 0, ""}).estimate(r),
                            tight = exec::Sweeper(plan, {1, 1, ""}).estimate(r);
  constexpr std::size_t kChannel = kImages * 12 * 12 * sizeof(float);
  // The parts lie in their concatenation, so that the most is carried with the expansion beside it.
  CHECK(roomy.carried_bytes == (64 + 160) * kChannel);
  CHECK(tight.carried_bytes <= roomy.carried_bytes - 80 * kChannel);
  CHECK(tight.moved_bytes < roomy.moved_bytes);
}

// Oracle: by hand: inference carries nothing, a level at least bn0's 16 x 12 x 12 values of each image.
TEST_CASE("A sweep stops when asked and says what it takes beforehand", "[exec]") {
  const Graph g = network();
  const auto plan = std::make_shared<exec::Plan>(g);
  exec::Sweeper sweeper(plan, {2, 1, ""});
  exec::SweepRequest r = inference(g, *plan, kImages);
  CHECK(sweeper.estimate(r).carried_bytes == 0);  // plain inference carries nothing
  for (std::size_t i = 0; i < r.levels.size(); ++i) r.levels[i] = plan->sets()[i].level;
  CHECK(sweeper.estimate(r).carried_bytes >= kImages * 16 * 12 * 12 * sizeof(float));
  CHECK(sweeper.estimate(r).spills);
  std::atomic<bool> cancelled = true;
  r.load = [](std::size_t i, std::span<float> dst) { std::ranges::copy(image(i), dst.begin()); };
  r.finalize_level = [](std::size_t, std::int64_t, std::span<const exec::LevelMoments>, std::span<exec::Affine>) {};
  CHECK_THROWS_AS(sweeper.run(r, {{}, &cancelled}), Interrupted);
}
