#pragma once

#include <cstdint>
#include <vector>

#include "model_proto.hpp"
#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/graph/graph.hpp"
#include "tensor_proto.hpp"

namespace shiftnorm::formats {

/// A file's network in the internal form, with its shape arithmetic still in it.
struct Imported {
  graph::Graph graph;               ///< its input has no shape yet
  std::vector<std::int64_t> input;  ///< as declared, the first of them the number of images; 0: free
  bool channels_last = false;       ///< declared as NHWC: the graph and `input` here have it as NCHW
  std::vector<TrainingNode> in_training;
};

enum class Weights {
  bound,    ///< with the file's values; every BatchNormalization has vectors of its own
  unbound,  ///< float initialisers wait for values from elsewhere; merged vectors stay one where names say so
};

/// Errors  UnsupportedError naming a node with its operator, domain and opset, an input too many; FormatError.
[[nodiscard]] Imported import_onnx(const OnnxFile& file, ExternalFiles& files, Weights weights);

}  // namespace shiftnorm::formats
