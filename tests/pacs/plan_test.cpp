#include "plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "sop_classes.hpp"

using namespace shiftnorm::pacs;

namespace {

std::vector<Instance> objects(int classes, int each) {
  std::vector<Instance> all;
  for (int c = 0; c < classes; ++c)
    for (int i = 0; i < each; ++i) all.push_back({fmt::format("1.{}.{}", c, i), fmt::format("9.{}", c)});
  return all;
}

}  // namespace

// Oracle: PS3.7: a context for the request and one for each pair, by hand.
TEST_CASE("an association has a context for each pair of SOP class and transfer syntax") {
  const auto retrievals = retrievals_of("1.1", "1.2", objects(2, 3), true, {"9.9"});
  REQUIRE(retrievals.size() == 1);
  CHECK(retrievals[0].objects.empty());
  CHECK(retrievals[0].classes == std::vector<std::string>{"9.0", "9.1"});
  const auto contexts = get_contexts(retrievals);
  CHECK(contexts.size() == 1 + 2 * storage_syntaxes().size());
  CHECK(contexts[0].abstract_syntax == kStudyRootGet);
  CHECK_FALSE(contexts[0].we_provide);
  std::set<std::pair<std::string, std::string>> pairs;
  for (std::size_t i = 1; i < contexts.size(); ++i) {
    CHECK(contexts[i].we_provide);
    REQUIRE(contexts[i].transfer_syntaxes.size() == 1);
    pairs.emplace(contexts[i].abstract_syntax, contexts[i].transfer_syntaxes[0]);
  }
  CHECK(pairs.size() == contexts.size() - 1);
}

// Oracle: the objects that are missing.
TEST_CASE("what is missing of a series is asked for object by object") {
  const auto retrievals = retrievals_of("1.1", "1.2", objects(1, 2), false, {"9.9"});
  REQUIRE(retrievals.size() == 1);
  CHECK(retrievals[0].objects == std::vector<std::string>{"1.0.0", "1.0.1"});
}

// Oracle: PS3.6's UID of CT Image Storage.
TEST_CASE("an archive that tells no classes is asked for those of the modality") {
  const auto silent = retrievals_of("1.1", "1.2", {}, true, classes_of_modality("CT"));
  REQUIRE(silent.size() == 1);
  CHECK(silent[0].objects.empty());
  CHECK(std::ranges::count(silent[0].classes, "1.2.840.10008.5.1.4.1.1.2") == 1);  // PS3.6: CT Image Storage
  const std::vector<Instance> unknown{{"1.5", ""}};
  CHECK(retrievals_of("1.1", "1.2", unknown, true, {"9.9"})[0].classes == std::vector<std::string>{"9.9"});
}

// Oracle: PS3.8: 128 contexts. Law: every object is asked for once.
TEST_CASE("no association has more contexts than DICOM allows, and every object is asked for once") {
  const int classes = GENERATE(1, 4, 5, 17);
  const auto wanted = objects(classes, 2);
  auto parts = retrievals_of("1.1", "1.2", wanted, true, {"9.9"});
  const bool split = parts.size() > 1;
  CHECK(split == (static_cast<std::size_t>(classes) > classes_per_association()));
  std::multiset<std::string> asked;
  for (const Retrieval& part : parts) asked.insert(part.objects.begin(), part.objects.end());
  CHECK(asked.size() == (split ? wanted.size() : 0));
  CHECK(std::set<std::string>(asked.begin(), asked.end()).size() == asked.size());
  for (const auto& group : associations_of(std::move(parts))) CHECK(get_contexts(group).size() <= kMostContexts);
}

// Oracle: classes counted by hand against classes_per_association().
TEST_CASE("series share an association while their classes have room in it") {
  std::vector<Retrieval> series;
  for (int i = 0; i < 6; ++i) series.push_back({"1", fmt::format("1.{}", i), {}, {fmt::format("9.{}", i / 2)}});
  CHECK(associations_of(series).size() == 1);
  for (int i = 0; i < 6; ++i) series[static_cast<std::size_t>(i)].classes = {fmt::format("9.{}", i)};
  const auto groups = associations_of(series);
  CHECK(groups.size() == 2);
  std::vector<std::string> order;
  for (const auto& group : groups) {
    CHECK(get_contexts(group).size() <= kMostContexts);
    for (const Retrieval& one : group) order.push_back(one.series);
  }
  CHECK(order == std::vector<std::string>{"1.0", "1.1", "1.2", "1.3", "1.4", "1.5"});
  CHECK(associations_of({}).empty());
}
