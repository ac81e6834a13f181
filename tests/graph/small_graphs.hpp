#pragma once

#include <string>
#include <vector>

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::test {

using graph::Graph;
using graph::ValueId;
using Ints = std::vector<std::int64_t>;

inline ValueId conv(Graph& g, const std::string& name, ValueId x, std::int64_t in, std::int64_t out,
                    std::int64_t kernel = 3, std::int64_t stride = 1) {
  const ValueId w = g.add_parameter(name + ".weight", Shape{out, in, kernel, kernel});
  return g.add("Conv", name, {x, w}, {{"strides", Ints{stride, stride}}, {"pads", Ints(4, kernel / 2)}});
}

/// The four parameters of one BatchNorm.
inline std::vector<ValueId> norm_parameters(Graph& g, const std::string& name, std::int64_t channels) {
  std::vector<ValueId> ids;
  for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"})
    ids.push_back(g.add_parameter(name + part, Shape{channels}));
  return ids;
}

inline ValueId norm(Graph& g, const std::string& node, ValueId x, const std::vector<ValueId>& p) {
  return g.add("BatchNormalization", node, {x, p[0], p[1], p[2], p[3]});
}

inline ValueId norm(Graph& g, const std::string& name, ValueId x, std::int64_t channels) {
  return norm(g, name, x, norm_parameters(g, name, channels));
}

}  // namespace shiftnorm::test
