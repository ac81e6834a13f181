#include <catch2/catch.hpp>

#include "shiftnorm/exec/reference.hpp"
#include "shiftnorm/graph/shapes.hpp"

using namespace shiftnorm;

TEST_CASE("Shape inference and kernels list the same operators", "[exec]") {
  std::vector<std::string> shapes, kernels;
  for (const graph::OpSpec& op : graph::operators()) shapes.emplace_back(op.op);
  for (const exec::ReferenceOp& op : exec::reference_operators()) kernels.emplace_back(op.op);
  CHECK(shapes == kernels);
}
