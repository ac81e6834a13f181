#pragma once

#include <cmath>
#include <random>
#include <span>
#include <vector>

#include "graph/small_graphs.hpp"
#include "shiftnorm/exec/plan.hpp"
#include "shiftnorm/exec/sweep.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::test {

inline std::vector<float> random_floats(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> out;
  for (std::size_t i = 0; i < n; ++i) out.push_back(static_cast<float>(random() % 20001) * 1e-4f - 1.0f);
  return out;
}

/// Infers shapes and gives every unbound parameter random values; variances lie in [0.5, 2.5].
inline void finish(Graph& g, std::vector<ValueId> outputs, unsigned seed = 1) {
  g.set_outputs(std::move(outputs));
  graph::infer_shapes(g);
  for (const ValueId id : g.parameters()) {
    graph::Value& value = g.value(id);
    if (value.tensor) continue;
    std::vector<float> values = random_floats(static_cast<std::size_t>(value.shape->elements()), seed++);
    for (float& v : values) v = value.name.ends_with("running_var") ? v + 1.5f : v;
    value.tensor = Tensor(*value.shape, values);
  }
}

inline void finish(Graph& g, ValueId output) { finish(g, std::vector{output}); }

/// Scale and shift of every BatchNorm as its bound parameters give them, in double.
inline std::vector<exec::Affine> bound_affines(const Graph& g, const exec::Plan& plan) {
  std::vector<exec::Affine> out;
  for (const graph::BatchNorm& set : plan.sets()) {
    const auto at = [&](ValueId id, std::size_t c) { return static_cast<double>(g.value(id).tensor->values[c]); };
    std::vector<double> scale, shift;
    for (std::size_t c = 0; c < static_cast<std::size_t>(set.channels); ++c) {
      scale.push_back(at(set.scale, c) / std::sqrt(at(set.variance, c) + set.epsilon));
      shift.push_back(at(set.bias, c) - at(set.mean, c) * scale.back());
    }
    out.push_back(plan.affine(scale, shift));
  }
  return out;
}

inline exec::SweepRequest inference(const Graph& g, const exec::Plan& plan, std::size_t images) {
  exec::SweepRequest r;
  r.levels.assign(plan.sets().size(), 0);
  r.affines = bound_affines(g, plan);
  for (const graph::BatchNorm& set : plan.sets()) {
    const auto& mean = g.value(set.mean).tensor->values;
    r.pivots.emplace_back(mean.begin(), mean.end());
  }
  r.groups.emplace_back();
  for (std::size_t i = 0; i < images; ++i) r.groups[0].push_back(i);
  return r;
}

/// Every output of the compiled network on one image.
inline std::vector<std::vector<float>> run_compiled(const Graph& g, std::span<const float> image) {
  const auto plan = std::make_shared<exec::Plan>(g);
  exec::Sweeper sweeper(plan, {});
  std::vector<std::vector<float>> out(plan->outputs());
  exec::SweepRequest r = inference(g, *plan, 1);
  r.outputs = plan->outputs();
  r.load = [&](std::size_t, std::span<float> dst) { std::copy(image.begin(), image.end(), dst.begin()); };
  r.output = [&](std::size_t, std::size_t which, std::span<const float> row) {
    out[which].assign(row.begin(), row.end());
  };
  sweeper.run(r, {});
  return out;
}

}  // namespace shiftnorm::test
