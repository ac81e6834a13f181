#include "shiftnorm/graph/weight_sets.hpp"

#include <catch2/catch.hpp>

using namespace shiftnorm;
using graph::weight_sets, graph::WeightSet, graph::Wrappings;

namespace {

using Names = std::vector<std::string>;

const Names kWanted{"conv1.weight", "bn1.running_mean", "layer1.0.conv1.weight"};

Names behind(const std::string& prefix) {
  Names names;
  for (const std::string& name : kWanted) names.push_back(prefix + name);
  return names;
}

/// The prefixes that have every wanted parameter.
Names full(const Names& tensors, const Names& wanted = kWanted) {
  Names prefixes;
  for (const WeightSet& set : weight_sets(wanted, tensors, Wrappings(wanted)))
    if (set.parameters == wanted.size()) prefixes.push_back(set.prefix);
  return prefixes;
}

}  // namespace

// Oracle: what torch.compile, FSDP, DataParallel, Lightning and nesting modules put before names.
TEST_CASE("a set is found behind any prefix", "[graph]") {
  const std::string prefix = GENERATE("", "module.", "_orig_mod.", "module._orig_mod.", "_fsdp_wrapped_module.",
                                      "model.resnet.", "encoder.", "a.b.c.d.module.e.");
  CHECK(full(behind(prefix)) == Names{prefix});
  Names with_others = behind(prefix);
  with_others.insert(with_others.begin(), {"criterion.weight", "n_averaged", "", ".", "..conv1.weight."});
  CHECK(full(with_others) == Names{prefix});
}

// Oracle: the prefixes by hand.
TEST_CASE("two sets stand in the file's order", "[graph]") {
  Names tensors = behind("module.encoder_q.");
  for (const std::string& name : behind("module.encoder_k.")) tensors.push_back(name);
  tensors.emplace_back("module.queue");
  CHECK(full(tensors) == Names{"module.encoder_q.", "module.encoder_k."});
}

// Oracle: names as FSDP, activation checkpointing, DataParallel and torch.compile write them.
TEST_CASE("wrappings inside of names are undone", "[graph]") {
  CHECK(full({"_fsdp_wrapped_module.conv1.weight", "_fsdp_wrapped_module.bn1.running_mean",
              "_fsdp_wrapped_module.layer1._fsdp_wrapped_module.0._checkpoint_wrapped_module.conv1.weight"}) ==
        Names{"_fsdp_wrapped_module."});
  CHECK(full({"conv1.weight", "bn1.running_mean", "layer1.module.0.conv1._orig_mod.weight"}) == Names{""});
  const Wrappings wrappings(kWanted);
  CHECK(wrappings.undone("layer1._orig_mod.module.0.conv1.weight") == "layer1.0.conv1.weight");
  CHECK(wrappings.undone("layer1.module") == "layer1.module");  // what a tensor is called itself
}

// Law: a part that the network itself names is not a wrapping.
TEST_CASE("a layer of the network's own that is called module is no wrapping", "[graph]") {
  const Names wanted{"module.0.weight", "conv.weight"};
  CHECK(full({"model.module.0.weight", "model.conv.weight"}, wanted) == Names{"model."});
  CHECK(full({"module.module.0.weight", "module.conv.weight"}, wanted) == Names{"module."});
  CHECK_FALSE(Wrappings(wanted).wraps("module"));
}

// Law: the last 64 parts are looked at, so that the time is in proportion to the names.
TEST_CASE("names of a million dots cost no more than others", "[graph]") {
  std::string dots;
  for (int i = 0; i < 1000000; ++i) dots += "a.";
  Names tensors = behind("");
  for (int i = 0; i < 20; ++i) tensors.push_back(dots + std::to_string(i) + ".conv1.weight");
  CHECK(full(tensors) == Names{""});
}
