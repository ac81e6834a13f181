// What a program outside this tree does with the installed libraries: a network of one BatchNorm, blended half and
// half.
#include <cstdio>
#include <shiftnorm/adapt/engine.hpp>
#include <shiftnorm/adapt/mode.hpp>
#include <shiftnorm/core/hash.hpp>
#include <shiftnorm/graph/batch_norms.hpp>

int main() {
  using namespace shiftnorm;
  graph::Graph graph;
  const graph::ValueId input = graph.add_input("input", Shape{1, 1, 2, 2});
  std::vector<graph::ValueId> inputs{input};
  const float given[] = {1, 0, 10, 4};  // gamma, beta, mean, variance
  const char* names[] = {"bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"};
  for (int i = 0; i < 4; ++i) {
    inputs.push_back(graph.add_parameter(names[i], Shape{1}));
    graph.value(inputs.back()).tensor = Tensor(Shape{1}, std::span(given + i, 1));
  }
  graph.set_outputs({graph.add("BatchNormalization", "bn", inputs)});

  adapt::Engine engine(graph, {});
  stats::Statistics target = engine.source();
  target[0].mean = {4};
  target[0].variance = {3};
  adapt::Mode mode;
  mode.policy = adapt::Policy::blend;
  mode.source_weight = 0.5;
  const stats::Statistics blended = adapt::apply_policy(mode, engine.batch_norms(), engine.source(), target, 1);
  std::printf("mean %g variance %g %s\n", blended[0].mean[0], blended[0].variance[0], sha256_hex("x").c_str());
}
