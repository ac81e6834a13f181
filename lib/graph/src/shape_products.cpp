#include <fmt/format.h>

#include "shape_rules.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::graph {

Shapes infer_gemm(const Graph& graph, const Node& node) {
  const Shape &a = input_shape(graph, node, 0), &b = input_shape(graph, node, 1);
  if (a.rank() != 2 || b.rank() != 2)
    throw ShapeError(fmt::format("factors {} and {}; expected rank 2", a.text(), b.text()));
  const bool left = node.integer("transA", 0) != 0, right = node.integer("transB", 0) != 0;
  if (a[left ? 0 : 1] != b[right ? 1 : 0])
    throw ShapeError(
        fmt::format("factors {} and {} (transA = {}, transB = {}) do not fit", a.text(), b.text(), left, right));
  const Shape out{a[left ? 1 : 0], b[right ? 0 : 1]};
  if (has_input(node, 2)) {
    const Shapes both{out, input_shape(graph, node, 2)};
    if (broadcast(both) != out)
      throw ShapeError(fmt::format("bias {} does not broadcast to {}", both[1].text(), out.text()));
  }
  return {out};
}

Shapes infer_mat_mul(const Graph& graph, const Node& node) {
  using Extents = std::vector<std::int64_t>;
  const Shape &x = input_shape(graph, node, 0), &y = input_shape(graph, node, 1);
  if (x.rank() < 1 || y.rank() < 1)
    throw ShapeError(fmt::format("factors {} and {}; expected rank 1 or more", x.text(), y.text()));
  Extents a = x.extents(), b = y.extents();
  // A vector on the left is a row, on the right a column; the axis is taken away again.
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  if (a.back() != b[b.size() - 2]) throw ShapeError(fmt::format("factors {} and {} do not fit", x.text(), y.text()));
  const Shapes batches{Shape(Extents(a.begin(), a.end() - 2)), Shape(Extents(b.begin(), b.end() - 2))};
  Extents out = broadcast(batches).extents();
  if (x.rank() > 1) out.push_back(a[a.size() - 2]);
  if (y.rank() > 1) out.push_back(b.back());
  return {Shape(std::move(out))};
}

}  // namespace shiftnorm::graph
