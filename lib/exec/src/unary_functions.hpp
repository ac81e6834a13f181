#pragma once

#include <span>
#include <string_view>

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::exec {

/// A function of one element with up to two attributes.
struct UnaryFunction {
  struct Parameter {
    std::string_view key;  ///< of the attribute; empty: none
    float absent = 0;
  };
  std::string_view op;
  double (*of)(double x, double a, double b);
  Parameter a, b;
};

/// Sorted by operator.
[[nodiscard]] std::span<const UnaryFunction> unary_functions();
[[nodiscard]] const UnaryFunction* find_unary_function(std::string_view op);
[[nodiscard]] double parameter_of(const graph::Node& node, const UnaryFunction::Parameter& parameter);

}  // namespace shiftnorm::exec
