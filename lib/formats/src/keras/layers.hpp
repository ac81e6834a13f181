#pragma once

#include "lowering.hpp"

namespace shiftnorm::formats::keras {

// What each kind of layer becomes; layer_table.cpp says which class is which.
Feature lower_identity(LayerCall& call);

template <std::size_t spatial>
Feature lower_convolution(LayerCall& call);
template <std::size_t spatial>
Feature lower_depthwise(LayerCall& call);
template <std::size_t spatial>
Feature lower_separable(LayerCall& call);
template <std::size_t spatial>
Feature lower_transposed(LayerCall& call);
Feature lower_dense(LayerCall& call);

template <std::size_t spatial>
Feature lower_max_pool(LayerCall& call);
template <std::size_t spatial>
Feature lower_average_pool(LayerCall& call);
template <std::size_t spatial>
Feature lower_global_max(LayerCall& call);
template <std::size_t spatial>
Feature lower_global_average(LayerCall& call);

template <std::size_t spatial>
Feature lower_zero_padding(LayerCall& call);
template <std::size_t spatial>
Feature lower_cropping(LayerCall& call);
template <std::size_t spatial>
Feature lower_upsampling(LayerCall& call);
Feature lower_flatten(LayerCall& call);
Feature lower_reshape(LayerCall& call);
Feature lower_permute(LayerCall& call);

Feature lower_batch_norm(LayerCall& call);
Feature lower_layer_norm(LayerCall& call);
Feature lower_normalization(LayerCall& call);
Feature lower_rescaling(LayerCall& call);

Feature lower_activation(LayerCall& call);
Feature lower_relu(LayerCall& call);
Feature lower_leaky_relu(LayerCall& call);
Feature lower_prelu(LayerCall& call);
Feature lower_elu(LayerCall& call);
Feature lower_thresholded_relu(LayerCall& call);
Feature lower_softmax(LayerCall& call);

Feature lower_add(LayerCall& call);
Feature lower_subtract(LayerCall& call);
Feature lower_multiply(LayerCall& call);
Feature lower_divide(LayerCall& call);
Feature lower_average(LayerCall& call);
Feature lower_maximum(LayerCall& call);
Feature lower_minimum(LayerCall& call);
Feature lower_concatenate(LayerCall& call);
Feature lower_merge(LayerCall& call);
Feature lower_custom_scale(LayerCall& call);
Feature lower_operation(LayerCall& call);

}  // namespace shiftnorm::formats::keras
