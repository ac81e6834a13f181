// Oracle: ONNX's backend node tests and, for later opsets, ONNX Runtime; goldens/make_node_cases.py wrote the numbers.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <sstream>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/exec/reference.hpp"
#include "shiftnorm/graph/shapes.hpp"
#include "support/near.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using graph::Attribute;

namespace {

template <class T>
T next(std::istream& in) {
  T value{};
  if (!(in >> value)) throw FormatError("node_cases.txt ends within a case");
  return value;
}
/// Streams do not read "inf" and "nan".
template <>
float next<float>(std::istream& in) {
  return std::stof(next<std::string>(in));
}

template <class T>
std::vector<T> several(std::istream& in, std::size_t n) {
  std::vector<T> values;
  for (std::size_t i = 0; i < n; ++i) values.push_back(next<T>(in));
  return values;
}

Attribute read_attribute(std::istream& in, const std::string& kind) {
  if (kind == "F") return next<float>(in);
  if (kind == "I") return next<std::int64_t>(in);
  if (kind == "S") return next<std::string>(in);
  const auto n = next<std::size_t>(in);
  if (kind == "G") return several<float>(in, n);
  return several<std::int64_t>(in, n);
}

struct Numbers {
  bool absent = false, integers = false;
  Shape shape;
  std::vector<float> values;
  std::vector<std::int64_t> whole;
};

Numbers read_numbers(std::istream& in) {
  Numbers out;
  const auto kind = next<std::string>(in);
  out.absent = kind == "-";
  if (out.absent) return out;
  out.integers = kind == "i";
  out.shape = Shape(several<std::int64_t>(in, next<std::size_t>(in)));
  const auto n = static_cast<std::size_t>(out.shape.elements());
  if (out.integers) {
    out.whole = several<std::int64_t>(in, n);
    out.values.assign(out.whole.begin(), out.whole.end());
  } else {
    out.values = several<float>(in, n);
  }
  return out;
}

/// A graph of one node whose inputs are all parameters; integers but the first input are constants of the form.
graph::Graph read_case(std::istream& in, std::vector<Numbers>& expected) {
  const auto op = next<std::string>(in);
  const auto inputs = next<std::size_t>(in), outputs = next<std::size_t>(in), attributes = next<std::size_t>(in);
  std::map<std::string, Attribute> given;
  for (std::size_t i = 0; i < attributes; ++i) {
    const auto kind = next<std::string>(in), key = next<std::string>(in);
    given[key] = read_attribute(in, kind);
  }
  graph::Graph g;
  g.add_input("unused", Shape{1, 1});
  std::vector<graph::ValueId> ids;
  for (std::size_t i = 0; i < inputs; ++i) {
    const Numbers numbers = read_numbers(in);
    ids.push_back(numbers.absent ? graph::kNone : g.add_parameter("input " + std::to_string(i), numbers.shape));
    if (numbers.absent) continue;
    if (numbers.integers && i > 0)
      g.value(ids.back()).integers = numbers.whole;
    else
      g.value(ids.back()).tensor = Tensor(numbers.shape, numbers.values);
  }
  for (std::size_t i = 0; i < outputs; ++i) expected.push_back(read_numbers(in));
  g.add(op, "node", ids, given, outputs);
  g.set_outputs(g.nodes().front().outputs);
  return g;
}

}  // namespace

// Oracle: the numbers of ONNX's node tests and ONNX Runtime in goldens/node_cases.txt.
TEST_CASE("Plain loops give what ONNX's node tests and ONNX Runtime give", "[exec]") {
  std::ifstream in(test::source_root() / "tests/exec/goldens/node_cases.txt");
  std::size_t cases = 0;
  for (std::string word; in >> word; ++cases) {
    const auto name = next<std::string>(in);
    CAPTURE(name);
    std::vector<Numbers> expected;
    graph::Graph g = read_case(in, expected);
    REQUIRE_NOTHROW(graph::infer_shapes(g));
    const auto found = exec::run_reference(g, std::vector<float>{0});
    REQUIRE(found.size() == expected.size());
    for (std::size_t k = 0; k < found.size(); ++k) {
      if (expected[k].absent) continue;
      CHECK(*g.value(g.outputs()[k]).shape == expected[k].shape);
      // 2e-6 of the largest: the goldens come from float32 arithmetic of tens of operations.
      CHECK_THAT(test::as_doubles(found[k]), test::near_largest(expected[k].values, 2e-6, 1));
    }
  }
  CHECK(cases > 450);
}
