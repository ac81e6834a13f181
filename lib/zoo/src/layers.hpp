#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shiftnorm/graph/graph.hpp"
#include "shiftnorm/zoo/zoo.hpp"

namespace shiftnorm::zoo {

enum class Activation { none, relu, relu6, hard_swish, silu };

/// What a BatchNorm is built with: PyTorch's defaults.
struct Norm {
  float epsilon = 1e-5f, momentum = 0.1f;
};

/// The multiple of 8 nearest to a scaled number of channels, at most a tenth below it (MobileNet's rule).
[[nodiscard]] std::int64_t round_channels(double channels);

/// Adds layers to a graph under PyTorch's parameter names and keeps track of channels.
class Layers {
 public:
  /// `held`: what the file offers; a convolution has a bias where it offers one. Null: as the architecture says.
  explicit Layers(graph::Graph& graph, const HeldShapes* held = nullptr) : graph_(graph), held_(held) {}

  struct ConvOptions {
    std::int64_t kernel = 3, stride = 1, padding = 0, groups = 1, dilation = 1;
    bool bias = false;
    std::int64_t kernel_w = 0, padding_w = 0;  ///< of a window that is not square; 0: it is
  };
  /// Conv2d named `name`: parameters name.weight and, if asked for, name.bias.
  graph::ValueId conv(const std::string& name, graph::ValueId x, std::int64_t in, std::int64_t out,
                      const ConvOptions& options);
  /// BatchNorm2d with PyTorch's defaults for epsilon and momentum unless given.
  graph::ValueId batch_norm(const std::string& name, graph::ValueId x, std::int64_t channels, float epsilon = 1e-5f,
                            float momentum = 0.1f);
  /// torchvision's Conv2dNormActivation: name.0 and name.1, padded so that a stride of 1 keeps the size.
  graph::ValueId conv_norm(const std::string& name, graph::ValueId x, std::int64_t in, std::int64_t out,
                           ConvOptions options, Activation activation, const Norm& norm = {});
  graph::ValueId activate(const std::string& name, graph::ValueId x, Activation activation);
  /// torchvision's SqueezeExcitation: name.fc1 and name.fc2 of the global average scale every channel of x by a gate
  /// that is the operator "Sigmoid" or "HardSigmoid".
  graph::ValueId squeeze_excite(const std::string& name, graph::ValueId x, std::int64_t channels, std::int64_t squeezed,
                                Activation activation, const std::string& gate);
  /// torchvision's BasicConv2d of GoogLeNet and Inception: convolution, BatchNorm with epsilon 1e-3, ReLU.
  graph::ValueId basic_conv(const std::string& name, graph::ValueId x, std::int64_t in, std::int64_t out,
                            const ConvOptions& options);
  graph::ValueId relu(const std::string& name, graph::ValueId x);
  graph::ValueId add(const std::string& name, graph::ValueId a, graph::ValueId b);
  graph::ValueId max_pool(const std::string& name, graph::ValueId x, std::int64_t kernel, std::int64_t stride,
                          std::int64_t padding, bool ceil_mode = false);
  graph::ValueId average_pool(const std::string& name, graph::ValueId x, std::int64_t kernel, std::int64_t stride,
                              std::int64_t padding = 0);
  graph::ValueId concat(const std::string& name, std::vector<graph::ValueId> parts);  ///< along channels
  /// Global average pooling and flattening to [N, C].
  graph::ValueId pool_and_flatten(graph::ValueId x);
  graph::ValueId linear(const std::string& name, graph::ValueId x, std::int64_t in, std::int64_t out, bool bias = true);

  /// A tensor that belongs to the architecture, not to the file.
  graph::ValueId constant(const std::string& name, Tensor tensor);

 private:
  graph::Graph& graph_;
  const HeldShapes* held_;
};

/// The first of two numbers that is not zero.
[[nodiscard]] inline std::int64_t given(std::int64_t option, std::int64_t absent) {
  return option != 0 ? option : absent;
}

}  // namespace shiftnorm::zoo
