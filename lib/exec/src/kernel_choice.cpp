#include "kernel_choice.hpp"

#include <algorithm>
#include <array>

#include "lowering.hpp"

namespace shiftnorm::exec {
namespace {

constexpr std::array kChoices{
    KernelChoice{"Add", "normalise", sum_fits, make_sum},
    KernelChoice{"Add", "channel-affine", channel_affine_fits, make_channel_affine},
    KernelChoice{"AveragePool", "onednn-pooling", pool_fits, make_pool},
    KernelChoice{"BatchNormalization", "normalise", nullptr, make_normalisation},
    KernelChoice{"Concat", "channel-concat", concat_fits, make_concat},
    KernelChoice{"Conv", "convolution", has_spatial_axes, make_convolution},  // by a list of its own: convolution.cpp
    KernelChoice{"ConvTranspose", "onednn-transposed", has_spatial_axes, make_transposed_convolution},
    KernelChoice{"Div", "channel-affine", channel_affine_fits, make_channel_affine},
    KernelChoice{"Dropout", "alias", nullptr, make_dropout},
    KernelChoice{"Flatten", "copy", nullptr, make_view},
    KernelChoice{"Gemm", "matrix-vector", gemm_fits, make_gemm},
    KernelChoice{"GlobalAveragePool", "global-average", nullptr, make_global_average},
    KernelChoice{"Identity", "alias", nullptr, make_alias},
    KernelChoice{"LRN", "onednn-lrn", lrn_fits, make_lrn},
    KernelChoice{"MatMul", "matrix-vector", mat_mul_fits, make_mat_mul},
    KernelChoice{"MaxPool", "onednn-pooling", pool_fits, make_pool},
    KernelChoice{"Mul", "normalise", joins_open_sum, make_joined},
    KernelChoice{"Mul", "vector-function", is_vector_function, make_vector_function},
    KernelChoice{"Mul", "product", product_fits, make_product},
    KernelChoice{"Mul", "channel-product", channel_product_fits, make_channel_product},
    KernelChoice{"Mul", "channel-affine", channel_affine_fits, make_channel_affine},
    KernelChoice{"PRelu", "channel-prelu", prelu_fits, make_prelu},
    KernelChoice{"ReduceMean", "global-average", pixels_reduced, make_global_average},
    KernelChoice{"Relu", "normalise", nullptr, make_relu},
    KernelChoice{"Reshape", "copy", nullptr, make_view},
    KernelChoice{"Sigmoid", "taken-in", is_taken_in, make_nothing},
    KernelChoice{"Squeeze", "copy", nullptr, make_view},
    KernelChoice{"Sub", "channel-affine", channel_affine_fits, make_channel_affine},
    KernelChoice{"Unsqueeze", "copy", nullptr, make_view},
    KernelChoice{"", "normalise", joins_open_sum, make_joined},
    KernelChoice{"", "vector-function", is_vector_function, make_vector_function},
    KernelChoice{"", "function", is_function, make_function},
    KernelChoice{"", "movement", movement_fits, make_movement},
    KernelChoice{"", kPlainLoops, nullptr, make_plain_loops},
};

}  // namespace

std::span<const KernelChoice> kernel_choices() { return kChoices; }

void first_that_fits(Lowering& node, const std::function<void(std::string_view name)>& chosen) {
  for (const KernelChoice& choice : kChoices) {
    if (!choice.op.empty() && choice.op != node.node().op) continue;
    if (choice.when != nullptr && !choice.when(node)) continue;
    chosen(choice.name);
    if (choice.make(node)) return;
  }
}

}  // namespace shiftnorm::exec
