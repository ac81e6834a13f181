#include <catch2/catch.hpp>
#include <set>

#include "adapt/mode_changes.hpp"
#include "shiftnorm/adapt/mixture.hpp"
#include "shiftnorm/adapt/mode_fields.hpp"
#include "shiftnorm/core/error.hpp"

using namespace shiftnorm::adapt;
using shiftnorm::test::mode_changes, shiftnorm::test::ModeChange;

namespace {

/// How many fields a plain struct has: the bindings below compile with no other number.
constexpr std::size_t fields_of(const Mode& mode) {
  const auto& [name, policy, semantics, estimator, batch, momentum, shuffle, source_weight, prior_images, shares,
               prior_correction, layers, mixture] = mode;
  static_cast<void>(name);
  return 13;
}
constexpr std::size_t fields_of(const LayerRule& rule) {
  const auto& [include, exclude, first, last, min_level, max_level] = rule;
  static_cast<void>(include);
  return 6;
}

}  // namespace

// Law: results depend on a field, so the text does. That each field has a case is counted: the layers' fields stand in
// for `layers`, the name has no meaning, and `mixture` is found out, not set.
TEST_CASE("A mode's text changes with every field", "[adapt]") {
  REQUIRE(mode_changes().size() == (fields_of(Mode{}) - 3) + fields_of(LayerRule{}));
  std::set<std::string> fields;
  for (const ModeChange& change : mode_changes()) {
    INFO(change.field);
    fields.insert(change.field);
    Mode changed = change.from;
    change.change(changed);
    CHECK(problems(change.from).empty());
    CHECK(problems(changed).empty());
    CHECK(canonical(changed) != canonical(change.from));
  }
  CHECK(fields.size() == mode_changes().size());
  Mode found_out{.policy = Policy::matched};
  const std::string asked = canonical(found_out);
  found_out.mixture = std::make_shared<const Mixture>(Mixture{.key = "of these images"});
  CHECK(canonical(found_out) != asked);
  Mode renamed{.semantics = Semantics::batch, .estimator = Estimator::ema};
  const std::string text = canonical(renamed);
  renamed.name = "another name";
  CHECK(canonical(renamed) == text);
}

// Law: the list of fields is the struct: each change changes one field's value, that of its name, and the field
// matters.
TEST_CASE("A mode's list of fields has each field once", "[adapt]") {
  std::set<std::string_view> changed_fields{"name"};
  for (const ModeChange& change : mode_changes()) {
    INFO(change.field);
    Mode changed = change.from;
    change.change(changed);
    for (const ModeField& field : mode_fields()) {
      INFO(field.name);
      CHECK((field.value(changed) != field.value(change.from)) == (field.name == change.field));
      if (field.name == change.field) CHECK(field.matters(changed));
    }
    changed_fields.insert(change.field);
  }
  std::set<std::string_view> listed;
  for (const ModeField& field : mode_fields()) listed.insert(field.name);
  CHECK(listed == changed_fields);
  CHECK(mode_fields().size() == listed.size());
}

// Law: different patterns give different texts, whatever they contain.
TEST_CASE("A mode's text keeps lists of patterns apart", "[adapt]") {
  std::set<std::string> texts;
  const std::vector<LayerRule> rules{{.include = {"a", "b"}},
                                     {.include = {"a,1:b"}},
                                     {.include = {"ab"}},
                                     {.include = {"b", "a"}},
                                     {.exclude = {"a", "b"}},
                                     {.include = {"a"}, .exclude = {"b"}},
                                     {.include = {"a, layers.first=1"}},
                                     {.include = {"a"}, .first = 1}};
  for (const LayerRule& rule : rules) texts.insert(canonical({.layers = rule}));
  CHECK(texts.size() == rules.size());
}

// Kept: keys made from these texts lie in users' caches. Oracle: mode.hpp, which field has a meaning for which policy.
TEST_CASE("A mode's text names what has a meaning for it, and stays as it is", "[adapt]") {
  CHECK(canonical({}) == "policy=adabn semantics=layerwise estimator=population");
  CHECK(canonical({.policy = Policy::source}) == "policy=source batch=64");
  CHECK(canonical({.policy = Policy::instance, .source_weight = 0.25}) == "policy=instance source-weight=0.25");
  CHECK(canonical({.policy = Policy::batch, .batch = 8, .shuffle = 7}) == "policy=batch batch=8 shuffle=7");
  CHECK(canonical({.policy = Policy::identity, .layers = {.exclude = {"bn*"}}}) ==
        "policy=identity layers.exclude=3:bn*,");
  CHECK(canonical({.policy = Policy::mixture,
                   .semantics = Semantics::batch,
                   .estimator = Estimator::ema,
                   .batch = 32,
                   .momentum = 0.1,
                   .shuffle = 7,
                   .prior_images = 16,
                   .layers = {.include = {"a", "b*"}, .first = 3, .last = 4, .min_level = 1, .max_level = 2}}) ==
        "policy=mixture semantics=batch estimator=ema momentum=0.1 batch=32 shuffle=7 prior-images=16 "
        "layers.include=1:a,2:b*, layers.first=3 layers.last=4 layers.min-level=1 layers.max-level=2");
}

// Oracle: the two rules of docs/reference/estimators.md that the mode breaks, batches and the weight of the source.
TEST_CASE("A mode that cannot be run is refused with its name and everything that is wrong", "[adapt]") {
  CHECK_NOTHROW(require_valid({}));
  CHECK_THROWS_WITH(require_valid({.name = "mine", .policy = Policy::blend, .batch = 0}),
                    "mode 'mine': batch = 0; expected 1 or more images; policy blend has no weight; expected "
                    "source_weight or prior_images");
}
