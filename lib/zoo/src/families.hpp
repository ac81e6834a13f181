#pragma once

#include "shiftnorm/zoo/zoo.hpp"

namespace shiftnorm::zoo {

/// He et al. 2016, section 4.2: 6n+2 layers, option-A shortcuts. depth in {20, 32, 44, 56, 110}.
template <int depth>
graph::Graph build_cifar_resnet(const BuildOptions& options);

/// torchvision's DenseNet (Huang et al. 2017). depth in {121, 161, 169, 201}.
template <int depth>
graph::Graph build_densenet(const BuildOptions& options);

/// torchvision's ResNet (v1.5: the stride is on the 3x3 convolution), depth in {18, 34, 50, 101, 152}; with groups its
/// ResNeXt (Xie et al. 2017), with a base width of 128 its Wide ResNet (Zagoruyko and Komodakis 2016).
template <int depth, int groups = 1, int base_width = 64>
graph::Graph build_resnet(const BuildOptions& options);

/// torchvision's VGG with BatchNorm (Simonyan and Zisserman 2015). depth in {11, 13, 16, 19}.
template <int depth>
graph::Graph build_vgg_bn(const BuildOptions& options);

}  // namespace shiftnorm::zoo
