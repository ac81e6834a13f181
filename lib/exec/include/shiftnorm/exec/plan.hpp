#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "shiftnorm/core/shape.hpp"
#include "shiftnorm/exec/affine.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::exec {

struct Program;

/// A graph compiled for one image on one thread. Immutable, shared by all threads. Every BatchNorm's scale and shift
/// are arguments of an execution, never compiled in.
class Plan {
 public:
  /// The graph's shapes must be inferred and its parameters bound.
  /// Errors  UnsupportedError naming the node that cannot be compiled.
  explicit Plan(const graph::Graph& graph);
  ~Plan();

  [[nodiscard]] const std::vector<graph::BatchNorm>& sets() const noexcept { return sets_; }
  [[nodiscard]] const Shape& input() const noexcept;          ///< of one image, N = 1 in front
  [[nodiscard]] std::size_t outputs() const noexcept;
  [[nodiscard]] const Shape& output(std::size_t which) const;  ///< of one image, N = 1 in front
  [[nodiscard]] std::int64_t output_floats(std::size_t which = 0) const { return output(which).elements(); }
  [[nodiscard]] const Program& program() const noexcept { return *program_; }

  /// Scale and shift of a set in the form that kernels take. Both spans have one value per channel.
  [[nodiscard]] Affine affine(std::span<const double> scale, std::span<const double> shift) const;

 private:
  std::vector<graph::BatchNorm> sets_;
  std::unique_ptr<Program> program_;
};

}  // namespace shiftnorm::exec
