#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "layers.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::formats::keras {
namespace {

Roles none(const Settings&) { return {}; }

Roles with_bias(const Settings& settings, std::vector<std::string> names) {
  if (settings.flag({"use_bias", "bias"}, true)) names.emplace_back("bias");
  const std::size_t count = names.size();
  return {std::move(names), count};
}
Roles kernel(const Settings& settings) { return with_bias(settings, {"kernel"}); }
Roles depthwise(const Settings& settings) { return with_bias(settings, {"depthwise_kernel"}); }
Roles separable(const Settings& settings) { return with_bias(settings, {"depthwise_kernel", "pointwise_kernel"}); }

Roles affine(const Settings& settings) {
  Roles roles;
  if (settings.flag({"scale"}, true)) roles.names.emplace_back("gamma");
  if (settings.flag({"center"}, true)) roles.names.emplace_back("beta");
  roles.trainable = roles.names.size();
  return roles;
}
Roles batch_norm(const Settings& settings) {
  Roles roles = affine(settings);
  roles.names.insert(roles.names.end(), {"moving_mean", "moving_variance"});
  return roles;
}
Roles prelu(const Settings&) { return {{"alpha"}, 1}; }
/// Statistics given in the configuration are not weights.
Roles normalization(const Settings& settings) {
  if (settings.find({"mean"}) != nullptr) return {};
  return {{"mean", "variance", "count"}, 0};
}

constexpr std::array kLayers{
    LayerClass{"Activation", lower_activation, none},
    LayerClass{"ActivityRegularization", lower_identity, none},
    LayerClass{"Add", lower_add, none},
    LayerClass{"AlphaDropout", lower_identity, none},
    LayerClass{"AtrousConvolution1D", lower_convolution<1>, kernel},
    LayerClass{"AtrousConvolution2D", lower_convolution<2>, kernel},
    LayerClass{"Average", lower_average, none},
    LayerClass{"AveragePooling1D", lower_average_pool<1>, none},
    LayerClass{"AveragePooling2D", lower_average_pool<2>, none},
    LayerClass{"AveragePooling3D", lower_average_pool<3>, none},
    LayerClass{"BatchNormalization", lower_batch_norm, batch_norm},
    LayerClass{"BatchNormalizationV1", lower_batch_norm, batch_norm},
    LayerClass{"BatchNormalizationV2", lower_batch_norm, batch_norm},
    LayerClass{"Concatenate", lower_concatenate, none},
    LayerClass{"Conv1D", lower_convolution<1>, kernel},
    LayerClass{"Conv1DTranspose", lower_transposed<1>, kernel},
    LayerClass{"Conv2D", lower_convolution<2>, kernel},
    LayerClass{"Conv2DTranspose", lower_transposed<2>, kernel},
    LayerClass{"Conv3D", lower_convolution<3>, kernel},
    LayerClass{"Conv3DTranspose", lower_transposed<3>, kernel},
    LayerClass{"Convolution1D", lower_convolution<1>, kernel},
    LayerClass{"Convolution2D", lower_convolution<2>, kernel},
    LayerClass{"Convolution3D", lower_convolution<3>, kernel},
    LayerClass{"Cropping1D", lower_cropping<1>, none},
    LayerClass{"Cropping2D", lower_cropping<2>, none},
    LayerClass{"Cropping3D", lower_cropping<3>, none},
    LayerClass{"CustomScaleLayer", lower_custom_scale, none},
    LayerClass{"Dense", lower_dense, kernel},
    LayerClass{"DepthwiseConv1D", lower_depthwise<1>, depthwise},
    LayerClass{"DepthwiseConv2D", lower_depthwise<2>, depthwise},
    LayerClass{"Divide", lower_divide, none},
    LayerClass{"Dropout", lower_identity, none},
    LayerClass{"ELU", lower_elu, none},
    LayerClass{"FixedDropout", lower_identity, none},
    LayerClass{"Flatten", lower_flatten, none},
    LayerClass{"GaussianDropout", lower_identity, none},
    LayerClass{"GaussianNoise", lower_identity, none},
    LayerClass{"GlobalAveragePooling1D", lower_global_average<1>, none},
    LayerClass{"GlobalAveragePooling2D", lower_global_average<2>, none},
    LayerClass{"GlobalAveragePooling3D", lower_global_average<3>, none},
    LayerClass{"GlobalMaxPooling1D", lower_global_max<1>, none},
    LayerClass{"GlobalMaxPooling2D", lower_global_max<2>, none},
    LayerClass{"GlobalMaxPooling3D", lower_global_max<3>, none},
    LayerClass{"LayerNormalization", lower_layer_norm, affine},
    LayerClass{"LeakyReLU", lower_leaky_relu, none},
    LayerClass{"MaxPooling1D", lower_max_pool<1>, none},
    LayerClass{"MaxPooling2D", lower_max_pool<2>, none},
    LayerClass{"MaxPooling3D", lower_max_pool<3>, none},
    LayerClass{"Maximum", lower_maximum, none},
    LayerClass{"Merge", lower_merge, none},
    LayerClass{"Minimum", lower_minimum, none},
    LayerClass{"Multiply", lower_multiply, none},
    LayerClass{"Normalization", lower_normalization, normalization},
    LayerClass{"PReLU", lower_prelu, prelu},
    LayerClass{"Permute", lower_permute, none},
    LayerClass{"RandomBrightness", lower_identity, none},
    LayerClass{"RandomContrast", lower_identity, none},
    LayerClass{"RandomFlip", lower_identity, none},
    LayerClass{"RandomRotation", lower_identity, none},
    LayerClass{"RandomTranslation", lower_identity, none},
    LayerClass{"RandomZoom", lower_identity, none},
    LayerClass{"ReLU", lower_relu, none},
    LayerClass{"Rescaling", lower_rescaling, none},
    LayerClass{"Reshape", lower_reshape, none},
    LayerClass{"SeparableConv1D", lower_separable<1>, separable},
    LayerClass{"SeparableConv2D", lower_separable<2>, separable},
    LayerClass{"SeparableConvolution2D", lower_separable<2>, separable},
    LayerClass{"Softmax", lower_softmax, none},
    LayerClass{"SpatialDropout1D", lower_identity, none},
    LayerClass{"SpatialDropout2D", lower_identity, none},
    LayerClass{"SpatialDropout3D", lower_identity, none},
    LayerClass{"Subtract", lower_subtract, none},
    LayerClass{"SyncBatchNormalization", lower_batch_norm, batch_norm},
    LayerClass{"TFOpLambda", lower_operation, none},
    LayerClass{"ThresholdedReLU", lower_thresholded_relu, none},
    LayerClass{"UpSampling1D", lower_upsampling<1>, none},
    LayerClass{"UpSampling2D", lower_upsampling<2>, none},
    LayerClass{"UpSampling3D", lower_upsampling<3>, none},
    LayerClass{"ZeroPadding1D", lower_zero_padding<1>, none},
    LayerClass{"ZeroPadding2D", lower_zero_padding<2>, none},
    LayerClass{"ZeroPadding3D", lower_zero_padding<3>, none},
};
static_assert(std::is_sorted(kLayers.begin(), kLayers.end(),
                             [](const LayerClass& a, const LayerClass& b) { return a.name < b.name; }),
              "layer_class searches by halves");

}  // namespace

const LayerClass& layer_class(const std::string& name) {
  const auto* const at = std::lower_bound(kLayers.begin(), kLayers.end(), name,
                                          [](const LayerClass& row, const std::string& n) { return row.name < n; });
  if (at != kLayers.end() && at->name == name) return *at;
  if (name == "Lambda") throw UnsupportedError("contains code, which is never run; replace it with built-in layers");
  throw UnsupportedError(fmt::format("layers of class '{}' are not supported", printable(name)));
}

}  // namespace shiftnorm::formats::keras
