#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::graph {

/// How many elements folding may make beyond those that files hold: a ConstantOfShape of a few bytes asks for any
/// number.
struct FoldBudget {
  std::int64_t elements = std::int64_t{1} << 25;
};

/// Whether constant_of() knows the operator.
[[nodiscard]] bool foldable(std::string_view op);

/// What a node's first output is, if that is known before any image is seen: all its inputs are constants, or it asks
/// for the shape of a value whose shape is known. `inputs`: one per input of the node, null where absent.
/// Nothing for operators that are not foldable and for inputs that are not known.
/// Errors  ShapeError, FormatError for operands that do not fit; UnsupportedError when the budget is spent.
[[nodiscard]] std::optional<Value> constant_of(const Node& node, std::span<const Value* const> inputs,
                                               FoldBudget& budget);

/// The network for inputs of one size: shape arithmetic computed, what merely renames a value and what no output needs
/// left out, shapes inferred.
/// input  of one image, N = 1. batch  the number of images that the file was made for: constant targets of Reshape and
///        Expand that count them are made to count one.
/// Errors  ShapeError, UnsupportedError, naming the node.
[[nodiscard]] Graph resolve(const Graph& graph, const Shape& input, std::int64_t batch = 1);

}  // namespace shiftnorm::graph
