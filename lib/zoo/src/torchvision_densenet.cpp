#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "families.hpp"
#include "head.hpp"
#include "layers.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::zoo {
namespace {

using graph::ValueId;

struct Plan {
  int depth;
  std::int64_t growth, first;
  std::array<int, 4> blocks;
};
constexpr std::array<Plan, 4> kPlans{{{121, 32, 64, {6, 12, 24, 16}},
                                      {161, 48, 96, {6, 12, 36, 24}},
                                      {169, 32, 64, {6, 12, 32, 32}},
                                      {201, 32, 64, {6, 12, 48, 32}}}};

constexpr const Plan& plan_of(int depth) {
  for (const Plan& plan : kPlans)
    if (plan.depth == depth) return plan;
  return kPlans.front();
}

/// BatchNorm, ReLU, convolution: the order of pre-activation.
ValueId unit(Layers& layers, const std::string& prefix, const std::string& suffix, ValueId x, std::int64_t in,
             std::int64_t out, const Layers::ConvOptions& options) {
  x = layers.relu(prefix + "relu" + suffix, layers.batch_norm(prefix + "norm" + suffix, x, in));
  return layers.conv(prefix + "conv" + suffix, x, in, out, options);
}

/// What follows the features, and what goes in.
struct Ends {
  const char* layer = "";  ///< of `classifier`; empty: it is the layer itself
  std::int64_t classes = 1000, channels = 3;
  bool sigmoid = false;
};

/// torchxrayvision's op_norm: outputs below their operating point t become y / 2t, those above 1 - (1 - y) / 2(1 - t),
/// so that t lies at one half. With r = max(y - t, 0) that is (y - r) / 2t + r / 2(1 - t). An output whose point is NaN
/// (no data set of theirs had the finding) stays as it is.
ValueId scale_by_thresholds(graph::Graph& graph, Layers& layers, ValueId y, const std::vector<float>& thresholds) {
  std::vector<float> minus_t, below, difference;
  for (const float t : thresholds) {
    if (!std::isnan(t) && !(t > 0 && t < 1))
      throw FormatError(fmt::format("an operating point is {}; expected one between 0 and 1", t));
    minus_t.push_back(std::isnan(t) ? -1.0f : -t);
    below.push_back(std::isnan(t) ? 1.0f : 1 / (2 * t));
    difference.push_back(std::isnan(t) ? 0.0f : 1 / (2 * (1 - t)) - 1 / (2 * t));
  }
  const Shape shape{1, static_cast<std::int64_t>(thresholds.size())};
  const auto row = [&](const char* name, const std::vector<float>& values) {
    return layers.constant(name, Tensor(shape, values));
  };
  const ValueId above =
      layers.relu("op_norm.above", layers.add("op_norm.distance", y, row("op_norm.minus_t", minus_t)));
  return layers.add("op_norm", graph.add("Mul", "op_norm.scaled", {y, row("op_norm.below", below)}),
                    graph.add("Mul", "op_norm.rest", {above, row("op_norm.difference", difference)}));
}

ValueId behind_head(graph::Graph& graph, ValueId x, const BuildOptions& options, const Ends& ends) {
  Layers layers(graph, options.held);
  // A head that the file's own module describes may end in its sigmoid.
  if (ends.sigmoid && graph.nodes().back().op != "Sigmoid") x = graph.add("Sigmoid", "sigmoid", {x});
  if (options.thresholds.empty()) return x;
  const auto last = std::find_if(graph.nodes().rbegin(), graph.nodes().rend(),
                                 [](const graph::Node& node) { return node.op == "Gemm" || node.op == "MatMul"; });
  if (last == graph.nodes().rend()) throw FormatError("operating points without a last Linear layer");
  const std::int64_t outputs = (*graph.value(last->inputs.at(1)).shape)[0];
  if (std::cmp_not_equal(options.thresholds.size(), outputs))
    throw FormatError(fmt::format("{} operating points for {} outputs", options.thresholds.size(), outputs));
  return scale_by_thresholds(graph, layers, x, options.thresholds);
}

graph::Graph build(const Plan& plan, const BuildOptions& options, const Ends& ends = {}) {
  graph::Graph graph;
  Layers layers(graph, options.held);
  const std::int64_t channels = given(options.channels, ends.channels);
  ValueId x = graph.add_input("input", Shape{1, channels, given(options.height, 224), given(options.width, 224)});
  x = layers.conv("features.conv0", x, channels, plan.first, {.kernel = 7, .stride = 2, .padding = 3});
  x = layers.relu("features.relu0", layers.batch_norm("features.norm0", x, plan.first));
  x = layers.max_pool("features.pool0", x, 3, 2, 1);
  std::int64_t in = plan.first;
  for (std::size_t block = 0; block < plan.blocks.size(); ++block) {
    for (int i = 0; i < plan.blocks[block]; ++i) {
      const std::string name = fmt::format("features.denseblock{}.denselayer{}.", block + 1, i + 1);
      ValueId fresh = unit(layers, name, "1", x, in, 4 * plan.growth, {.kernel = 1});
      fresh = unit(layers, name, "2", fresh, 4 * plan.growth, plan.growth, {.kernel = 3, .padding = 1});
      x = layers.concat(name + "concat", {x, fresh});
      in += plan.growth;
    }
    if (block + 1 == plan.blocks.size()) break;
    const std::string name = fmt::format("features.transition{}.", block + 1);
    x = layers.average_pool(name + "pool", unit(layers, name, "", x, in, in / 2, {.kernel = 1}), 2, 2);
    in /= 2;
  }
  x = layers.relu("features.relu5", layers.batch_norm("features.norm5", x, in));
  const ValueId features = layers.pool_and_flatten(x);
  const OwnHead head = one_layer("classifier", ends.classes, ends.layer);
  const ValueId scores = add_head(graph, head, features, in, options);
  graph.set_outputs({scores == features ? features : behind_head(graph, scores, options, ends)});
  return graph;
}

}  // namespace

template <int depth>
graph::Graph build_densenet(const BuildOptions& options) {
  return build(plan_of(depth), options);
}
template graph::Graph build_densenet<121>(const BuildOptions&);
template graph::Graph build_densenet<161>(const BuildOptions&);
template graph::Graph build_densenet<169>(const BuildOptions&);
template graph::Graph build_densenet<201>(const BuildOptions&);

graph::Graph build_chexnet(const BuildOptions& options) {
  return build(plan_of(121), options, {.layer = "0", .classes = 14, .sigmoid = true});
}

graph::Graph build_xrv_densenet121(const BuildOptions& options) {
  return build(plan_of(121), options, {.classes = 18, .channels = 1, .sigmoid = true});
}

std::string modern_densenet_name(std::string_view name) {
  std::string modern(name);
  if (modern.find("denselayer") == std::string::npos) return modern;
  for (const std::string_view old : {".norm.1.", ".norm.2.", ".conv.1.", ".conv.2."})
    if (const std::size_t at = modern.find(old); at != std::string::npos) modern.erase(at + 5, 1);
  return modern;
}

std::string modern_chexnet_name(std::string_view name) {
  constexpr std::string_view kWrapper = "densenet121.";
  std::string modern = modern_densenet_name(name);
  if (const std::size_t at = modern.find(kWrapper); at != std::string::npos) modern.erase(at, kWrapper.size());
  return modern;
}

}  // namespace shiftnorm::zoo
