// Oracle of every case: the plain loops of shiftnorm/exec/reference.hpp, which accumulate in double; and, of which
// kernel is chosen, the line itself: choices are part of a result's last bits, so that a change of one is to be seen.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cctype>
#include <fstream>
#include <map>
#include <sstream>

#include "exec/random_network.hpp"
#include "shiftnorm/exec/reference.hpp"
#include "support/near.hpp"

using namespace shiftnorm;
using namespace shiftnorm::test;

namespace {

/// A line of kernel_cases.txt.
struct Case {
  std::string op, kernel;
  std::map<std::string, std::int64_t> numbers;

  [[nodiscard]] std::int64_t number(const std::string& key, std::int64_t absent) const {
    const auto it = numbers.find(key);
    return it == numbers.end() ? absent : it->second;
  }
  /// "ih", "iw" of those axes that the case has.
  [[nodiscard]] Ints per_axis(const std::string& what, std::int64_t absent) const {
    Ints out;
    for (const char axis : {'d', 'h', 'w'})
      if (numbers.contains(std::string("i") + axis)) out.push_back(number(what + axis, absent));
    return out;
  }
  [[nodiscard]] Shape input() const {
    Ints extents{number("mb", 1), number("ic", 1)};
    for (const std::int64_t extent : per_axis("i", 0)) extents.push_back(extent);
    return Shape(extents);
  }
  /// Pads before and behind each axis.
  [[nodiscard]] Ints pads() const {
    Ints out = per_axis("p", 0), ends;
    for (const char axis : {'d', 'h', 'w'})
      if (numbers.contains(std::string("i") + axis))
        ends.push_back(number(std::string("e") + axis, number(std::string("p") + axis, 0)));
    out.insert(out.end(), ends.begin(), ends.end());
    return out;
  }
};

Case parse(const std::string& line) {
  Case c;
  std::string form;
  std::istringstream words(line);
  words >> c.op >> c.kernel >> form;
  constexpr std::string_view kKernel = "kernel=";
  REQUIRE(c.kernel.starts_with(kKernel));
  c.kernel.erase(0, kKernel.size());
  for (std::size_t at = 0; at < form.size();) {
    std::string key, digits;
    while (at < form.size() && std::isalpha(static_cast<unsigned char>(form[at])) != 0) key += form[at++];
    while (at < form.size() && std::isdigit(static_cast<unsigned char>(form[at])) != 0) digits += form[at++];
    REQUIRE_FALSE(digits.empty());
    c.numbers[key] = std::stoll(digits);
  }
  return c;
}

/// The operator whose name is this in lower case, as lines have it.
std::string operator_of(const std::string& name) {
  for (const graph::OpSpec& spec : graph::operators()) {
    std::string lower(spec.op);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (lower == name) return std::string(spec.op);
  }
  FAIL(name << " is no operator");
  return {};
}

/// The network of that one layer.
Graph layer_of(const Case& c) {
  Graph g;
  const std::string op = operator_of(c.op);
  std::vector<ValueId> in{g.add_input("x", c.input())};
  std::map<std::string, graph::Attribute> attributes;
  const bool windowed = c.numbers.contains("kh") || c.numbers.contains("kw");
  if (windowed) attributes = {{"strides", c.per_axis("s", 1)}, {"dilations", c.per_axis("d", 1)}, {"pads", c.pads()}};
  if (op == "Conv") {
    const std::int64_t groups = c.number("g", 1);
    Ints weights{c.number("oc", 1), c.number("ic", 1) / groups};
    for (const std::int64_t taps : c.per_axis("k", 1)) weights.push_back(taps);
    in.push_back(g.add_parameter("w", Shape(weights)));
    in.push_back(g.add_parameter("b", Shape{weights[0]}));
    attributes["group"] = groups;
  } else if (op == "Gemm") {
    in.push_back(g.add_parameter("w", Shape{c.number("ic", 1), c.number("oc", 1)}));
  } else if (windowed) {
    attributes["kernel_shape"] = c.per_axis("k", 1);
  } else if (op == "LRN") {
    attributes["size"] = std::int64_t{5};
  } else if (op == "Transpose") {
    attributes["perm"] = Ints{0, 2, 3, 1};
  }
  finish(g, g.add(op, "layer", in, attributes));
  return g;
}

exec::PlanStep step_of_layer(const Graph& g) {
  for (const exec::PlanStep& step : exec::Plan(g).steps())
    if (step.node == "layer") return step;
  FAIL("the plan has no step of the layer");
  return {};
}

void check_values(const Graph& g) {
  const std::vector<float> image = random_floats(static_cast<std::size_t>(g.value(g.input()).shape->elements()), 99);
  const auto expected = exec::run_reference(g, image).front(), found = run_compiled(g, image).front();
  // 1e-5 of the largest: float32 sums of at most a few thousand products.
  CHECK_THAT(test::as_doubles(found), test::near_largest(expected, 1e-5, 1e-3));
}

std::vector<std::string> lines() {
  std::ifstream file(SHIFTNORM_KERNEL_CASES);
  std::vector<std::string> out;
  for (std::string line; std::getline(file, line);)
    if (!line.empty() && line.front() != '#') out.push_back(line);
  return out;
}

}  // namespace

TEST_CASE("Each case is carried out by its kernel, with the values of the plain loops", "[exec]") {
  REQUIRE(lines().size() > 20);
  for (const std::string& line : lines()) {
    INFO(line);
    const Case c = parse(line);
    const Graph g = layer_of(c);
    const exec::PlanStep step = step_of_layer(g);
    CHECK(step.kernel == c.kernel);
    CHECK(step.shape == *g.value(g.outputs().front()).shape);
    if (c.op == "conv") CHECK("conv kernel=" + step.kernel + " " + step.form == line);
    check_values(g);
  }
}

TEST_CASE("Every way to carry out a convolution has a case", "[exec]") {
  for (const char* kernel : {"winograd", "depthwise", "pointwise", "onednn-plain-source", "joined-groups", "onednn"})
    CHECK(std::ranges::any_of(lines(), [&](const std::string& line) {
      return line.starts_with(std::string("conv kernel=") + kernel + " ");
    }));
}

// Law: what a plan prints of a convolution in a network, built by itself, is carried out in the same way.
TEST_CASE("A plan names its steps, and its convolutions can be replayed", "[exec]") {
  Graph g;
  const ValueId a =
      g.add("Relu", "r1", {norm(g, "bn1", conv(g, "stem", g.add_input("x", Shape{1, 3, 32, 32}), 3, 32), 32)});
  const ValueId b = norm(g, "bn2", conv(g, "c2", a, 32, 32), 32);
  const ValueId sum = g.add("Relu", "r2", {g.add("Add", "add", {b, a})});
  const ValueId pooled = g.add("GlobalAveragePool", "pool", {conv(g, "c3", sum, 32, 48)});
  finish(g, g.add("Flatten", "flat", {pooled}));
  std::vector<std::string> told;
  for (const exec::PlanStep& step : exec::Plan(g).steps()) {
    told.push_back(step.op + " " + step.node + " " + step.shape.text());
    if (step.op != "Conv") continue;
    const std::string line = "conv kernel=" + step.kernel + " " + step.form;
    INFO(line);
    CHECK(step_of_layer(layer_of(parse(line))).kernel == step.kernel);
  }
  CHECK(told == std::vector<std::string>{"Conv stem [1, 32, 32, 32]", "BatchNormalization+Relu r1 [1, 32, 32, 32]",
                                         "Conv c2 [1, 32, 32, 32]", "BatchNormalization+Add+Relu r2 [1, 32, 32, 32]",
                                         "Conv c3 [1, 48, 32, 32]", "GlobalAveragePool pool [1, 48, 1, 1]",
                                         "Reorder flat (reorder) [1, 48, 1, 1]", "Flatten flat [1, 48]"});
}
