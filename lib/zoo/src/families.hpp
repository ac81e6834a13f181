#pragma once

#include "shiftnorm/zoo/zoo.hpp"

namespace shiftnorm::zoo {

/// He et al. 2016, section 4.2: 6n+2 layers, option-A shortcuts. depth in {20, 32, 44, 56, 110}.
template <int depth>
graph::Graph build_cifar_resnet(const BuildOptions& options);

/// torchvision's ResNet (v1.5: the stride is on the 3x3 convolution). depth in {18, 34, 50, 101, 152}.
template <int depth>
graph::Graph build_resnet(const BuildOptions& options);

}  // namespace shiftnorm::zoo
