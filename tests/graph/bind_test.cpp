#include "shiftnorm/graph/bind.hpp"

#include <catch2/catch.hpp>

#include "graph/small_graphs.hpp"
#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::test;
using Catch::Matchers::Contains;

namespace {

Graph one_layer() {
  Graph g;
  g.set_outputs({norm(g, "bn", conv(g, "conv", g.add_input("x", Shape{1, 3, 8, 8}), 3, 4), 4)});
  return g;
}

/// A file's tensors: names with shapes, every value 1.
struct File {
  std::vector<std::pair<std::string, Shape>> tensors{{"conv.weight", {4, 3, 3, 3}},
                                                     {"bn.weight", {4}},
                                                     {"bn.bias", {4}},
                                                     {"bn.running_mean", {4}},
                                                     {"bn.running_var", {4}}};
  std::vector<Array> arrays;

  std::vector<graph::NamedSource> sources(const std::string& prefix = "") {
    std::vector<graph::NamedSource> out;
    arrays.clear();
    arrays.reserve(tensors.size());
    for (const auto& [name, shape] : tensors) {
      arrays.push_back(Array::from_floats(shape, std::vector<float>(static_cast<std::size_t>(shape.elements()), 1.0f)));
      out.push_back({prefix + name, shape, &arrays.back()});
    }
    return out;
  }
};

}  // namespace

// Law: a prefix that all names share changes nothing.
TEST_CASE("bind undoes the known wrappings", "[graph]") {
  const std::string prefix = GENERATE("", "module.", "model.", "state_dict.module.", "module.model.");
  Graph g = one_layer();
  File file;
  const auto binding = graph::bind(g, file.sources(prefix));
  CHECK(binding.pairs.size() == 5);
  CHECK(binding.left_over.empty());
  for (const ValueId id : g.parameters()) CHECK(g.value(id).tensor.has_value());
}

// Law: behind a given prefix only its own tensors are taken.
TEST_CASE("bind takes the set behind the prefix that it is given", "[graph]") {
  Graph g = one_layer();
  File file;
  const auto own = file.tensors;
  for (const auto& [name, shape] : own) file.tensors.emplace_back("k." + name, shape);
  const auto binding = graph::bind(g, file.sources(), "k.");
  REQUIRE(binding.pairs.size() == 5);
  for (const auto& [id, index] : binding.pairs) CHECK(index >= own.size());
  CHECK(binding.left_over.size() == 5);
  Graph other = one_layer();
  CHECK_THROWS_WITH(graph::bind(other, file.sources(), "q."), Contains("5 missing (conv.weight"));
}

// Oracle: the names that no parameter has, by hand.
TEST_CASE("bind ignores counters and reports what is left over", "[graph]") {
  Graph g = one_layer();
  File file;
  file.tensors.emplace_back("bn.num_batches_tracked", Shape{});
  file.tensors.emplace_back("head.weight", Shape{2, 4});
  CHECK(graph::bind(g, file.sources()).left_over == std::vector<std::size_t>{6});
}

// Law: nothing is bound by guess; the message names what was found and expected.
TEST_CASE("bind names what does not fit", "[graph]") {
  Graph g = one_layer();
  File file;
  SECTION("missing") {
    file.tensors.erase(file.tensors.begin() + 3);
    CHECK_THROWS_WITH(graph::bind(g, file.sources()), Contains("1 missing (bn.running_mean)"));
  }
  SECTION("another shape, and who has the right one") {
    file.tensors[0].second = Shape{8, 3, 3, 3};
    file.tensors.emplace_back("stem.weight", Shape{4, 3, 3, 3});
    CHECK_THROWS_WITH(graph::bind(g, file.sources()),
                      Contains("'conv.weight' is [8, 3, 3, 3], expected [4, 3, 3, 3]; 'stem.weight' has that shape"));
  }
  SECTION("the same name twice once prefixes are undone") {
    file.tensors.emplace_back("bn.bias", Shape{4});
    CHECK_THROWS_WITH(graph::bind(g, file.sources()), Contains("'bn.bias' appears twice"));
  }
}

// Law: weights are real numbers.
TEST_CASE("bind refuses integer weights", "[graph]") {
  Graph g = one_layer();
  File file;
  auto sources = file.sources();
  const Array integers(DType::i64, Shape{4});
  sources[1].values = &integers;
  CHECK_THROWS_WITH(graph::bind(g, sources), Contains("'bn.weight' holds int64; expected floating-point numbers"));
}
