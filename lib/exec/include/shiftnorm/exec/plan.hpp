#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/core/shape.hpp"
#include "shiftnorm/exec/affine.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::exec {

struct Program;

/// One step of a plan, and the kernel that was chosen for it: the first that fits of an ordered list.
struct PlanStep {
  std::string op;        ///< of the node, or of all that were joined: "BatchNormalization+Relu"; "Reorder"
  std::string node;      ///< its name, of the last one that was joined
  std::string kernel;    ///< "winograd", "plain-loops"
  std::string one_pass;  ///< the kernel that does this and the step before or behind it in one pass; empty: none has it
  Shape shape;           ///< of what it writes
  std::string form;      ///< of a convolution: shape of the case that tests/exec/kernel_cases.txt would replay
};

/// A graph compiled for one image on one thread. Immutable, shared by all threads. Every BatchNorm's scale and shift
/// are arguments of an execution, never compiled in.
class Plan {
 public:
  /// The graph's shapes must be inferred and its parameters bound.
  /// Errors  UnsupportedError naming the node that cannot be compiled.
  explicit Plan(const graph::Graph& graph);
  /// With sets of one's own, such as graph::uses_of gives: each BatchNormalization node belongs to one of them.
  Plan(const graph::Graph& graph, std::vector<graph::BatchNorm> sets);
  ~Plan();

  [[nodiscard]] const std::vector<graph::BatchNorm>& sets() const noexcept { return sets_; }
  [[nodiscard]] const Shape& input() const noexcept;  ///< of one image, N = 1 in front
  [[nodiscard]] std::size_t outputs() const noexcept;
  [[nodiscard]] const Shape& output(std::size_t which) const;  ///< of one image, N = 1 in front
  [[nodiscard]] std::int64_t output_floats(std::size_t which = 0) const { return output(which).elements(); }
  /// In the order of the graph.
  [[nodiscard]] std::vector<PlanStep> steps() const;
  [[nodiscard]] const Program& program() const noexcept { return *program_; }

  /// Scale and shift of a set in the form that kernels take. Both spans have one value per channel.
  [[nodiscard]] Affine affine(std::span<const double> scale, std::span<const double> shift) const;

 private:
  std::vector<graph::BatchNorm> sets_;
  std::unique_ptr<Program> program_;
};

}  // namespace shiftnorm::exec
