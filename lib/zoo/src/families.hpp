#pragma once

#include "shiftnorm/zoo/zoo.hpp"

namespace shiftnorm::zoo {

/// He et al. 2016, section 4.2: 6n+2 layers, option-A shortcuts. depth in {20, 32, 44, 56, 110}.
template <int depth>
graph::Graph build_cifar_resnet(const BuildOptions& options);

/// Zagoruyko and Komodakis 2016 for 32x32 images, names as in the usual PyTorch code: 28-10 and 40-2.
template <int depth, int widen>
graph::Graph build_cifar_wide_resnet(const BuildOptions& options);

/// torchvision's DenseNet (Huang et al. 2017). depth in {121, 161, 169, 201}.
template <int depth>
graph::Graph build_densenet(const BuildOptions& options);
/// CheXNet (Rajpurkar et al. 2017) as its PyTorch reimplementations save it: DenseNet-121 with 14 sigmoid outputs.
graph::Graph build_chexnet(const BuildOptions& options);
/// torchxrayvision's DenseNet-121 (Cohen et al. 2022): one channel, 18 sigmoid outputs, scaled by their operating
/// points.
graph::Graph build_xrv_densenet121(const BuildOptions& options);
/// The names of torchvision before 0.2 (`denselayer1.norm.1.weight`), of CheXNet's with the wrapper's removed.
std::string modern_densenet_name(std::string_view name);
std::string modern_chexnet_name(std::string_view name);

/// torchvision's EfficientNet (Tan and Le 2019, 2021). number in 0 ... 7.
template <int number>
graph::Graph build_efficientnet_b(const BuildOptions& options);
graph::Graph build_efficientnet_v2_l(const BuildOptions& options);
graph::Graph build_efficientnet_v2_m(const BuildOptions& options);
graph::Graph build_efficientnet_v2_s(const BuildOptions& options);

/// torchvision's GoogLeNet and Inception v3 (Szegedy et al. 2015, 2016) without auxiliary heads and transform_input.
graph::Graph build_googlenet(const BuildOptions& options);
graph::Graph build_inception_v3(const BuildOptions& options);

/// torchvision's MNASNet (Tan et al. 2019), version 2. percent in {50, 75, 100, 130}: its width.
template <int percent>
graph::Graph build_mnasnet(const BuildOptions& options);

/// torchvision's MobileNets (Sandler et al. 2018, Howard et al. 2019).
graph::Graph build_mobilenet_v2(const BuildOptions& options);
graph::Graph build_mobilenet_v3_large(const BuildOptions& options);
graph::Graph build_mobilenet_v3_small(const BuildOptions& options);

/// torchvision's RegNets (Radosavovic et al. 2020), by size from 0: X 400MF to 32GF, Y 400MF to 128GF.
template <std::size_t size>
graph::Graph build_regnet_x(const BuildOptions& options);
template <std::size_t size>
graph::Graph build_regnet_y(const BuildOptions& options);

/// torchvision's ResNet (v1.5: the stride is on the 3x3 convolution), depth in {18, 34, 50, 101, 152}; with groups its
/// ResNeXt (Xie et al. 2017), with a base width of 128 its Wide ResNet (Zagoruyko and Komodakis 2016).
template <int depth, int groups = 1, int base_width = 64>
graph::Graph build_resnet(const BuildOptions& options);

/// torchvision's ShuffleNet v2 (Ma et al. 2018). percent in {50, 100, 150, 200}: its width.
template <int percent>
graph::Graph build_shufflenet_v2(const BuildOptions& options);

/// torchvision's VGG with BatchNorm (Simonyan and Zisserman 2015). depth in {11, 13, 16, 19}.
template <int depth>
graph::Graph build_vgg_bn(const BuildOptions& options);

}  // namespace shiftnorm::zoo
