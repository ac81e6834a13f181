#pragma once

#include <functional>
#include <span>
#include <string_view>

namespace shiftnorm::exec {

class Lowering;

/// One way to carry out an operator. Rows of an operator are in order of preference; after them
/// come those for any operator, of which plain loops are the last. The first that fits is taken.
struct KernelChoice {
  std::string_view op;  ///< empty: any
  std::string_view name;
  bool (*when)(const Lowering& node);  ///< null: always
  bool (*make)(Lowering& node);        ///< false, and nothing done: there is no such form
};

[[nodiscard]] std::span<const KernelChoice> kernel_choices();

/// Has the node at hand carried out by the first row that fits; `chosen` hears of each row that is tried.
void first_that_fits(Lowering& node, const std::function<void(std::string_view name)>& chosen);

/// What runs where nothing faster does.
inline constexpr std::string_view kPlainLoops = "plain-loops";

// One function for each rule of kernel_choices(). Those named _fits are conditions.
bool make_convolution(Lowering& node);
bool has_spatial_axes(const Lowering& node);  ///< as many as oneDNN takes
bool make_transposed_convolution(Lowering& node);
bool pool_fits(const Lowering& node);
bool make_pool(Lowering& node);
bool pixels_reduced(const Lowering& node);
bool make_global_average(Lowering& node);
bool lrn_fits(const Lowering& node);
bool make_lrn(Lowering& node);
bool gemm_fits(const Lowering& node);
bool make_gemm(Lowering& node);
bool mat_mul_fits(const Lowering& node);
bool make_mat_mul(Lowering& node);

bool make_normalisation(Lowering& node);
bool sum_fits(const Lowering& node);
bool make_sum(Lowering& node);
bool make_relu(Lowering& node);
bool is_taken_in(const Lowering& node);
bool make_nothing(Lowering& node);
bool joins_open_sum(const Lowering& node);
bool make_joined(Lowering& node);
bool is_vector_function(const Lowering& node);
bool make_vector_function(Lowering& node);
bool is_function(const Lowering& node);
bool make_function(Lowering& node);
bool product_fits(const Lowering& node);
bool make_product(Lowering& node);
bool channel_product_fits(const Lowering& node);
bool make_channel_product(Lowering& node);
bool channel_affine_fits(const Lowering& node);
bool make_channel_affine(Lowering& node);
bool prelu_fits(const Lowering& node);
bool make_prelu(Lowering& node);

bool make_alias(Lowering& node);
bool make_dropout(Lowering& node);
bool make_view(Lowering& node);
bool concat_fits(const Lowering& node);
bool make_concat(Lowering& node);
bool movement_fits(const Lowering& node);
bool make_movement(Lowering& node);
bool make_plain_loops(Lowering& node);

}  // namespace shiftnorm::exec
