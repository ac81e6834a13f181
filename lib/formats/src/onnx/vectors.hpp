#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace shiftnorm::formats {

/// One vector of one BatchNormalization node. In ONNX every node is a BatchNorm of its own, also where the exporter has
/// merged equal vectors, so each vector has a name of its own by which it is bound and patched.
struct BatchNormVector {
  int node = 0, slot = 0;  ///< graph.node(node).input(slot); slots 1 to 4: scale, bias, mean, variance
  std::string name;        ///< the name of that input, or one made from it where an earlier vector has it
  int initializer = -1;    ///< where the values come from, or
  int constant = -1;       ///< the Constant node; -1 and -1: computed
  bool sole = false;       ///< nothing else reads those values: they can be changed where they lie
  std::int32_t type = 0;   ///< ONNX's number of the element type that reaches the node
};

/// All of them, in the order of nodes and slots.
[[nodiscard]] std::vector<BatchNormVector> batch_norm_vectors(const onnx::GraphProto& graph);

/// The names of a model that are taken, and new ones. Any number of wishes for one name take no longer than its
/// numbers.
class TakenNames {
 public:
  bool insert(const std::string& name) { return taken_.insert(name).second; }  ///< false: it was taken
  [[nodiscard]] bool contains(const std::string& name) const { return taken_.contains(name); }
  /// A name that was not taken, and is now: `wanted`, or that with a number before its last part ("bn.running_mean":
  /// "bn.2.running_mean").
  [[nodiscard]] std::string fresh(const std::string& wanted);

 private:
  std::unordered_set<std::string> taken_;
  std::unordered_map<std::string, int> next_;  ///< number to be tried, by the name that was wanted
};

/// Whether a runtime runs the BatchNormalization in training mode: by each batch's own statistics.
/// `opset`: the node's. From 14 on an attribute says so; before, that more than the first output is asked for.
[[nodiscard]] bool in_training_mode(const onnx::NodeProto& node, std::int64_t opset);

/// Every name of a value that the graph's nodes, inputs, outputs and initialisers use.
[[nodiscard]] std::vector<std::string> value_names(const onnx::GraphProto& graph);

/// Whether a domain is ONNX's own.
[[nodiscard]] inline bool default_domain(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

}  // namespace shiftnorm::formats
