#include <algorithm>
#include <array>

#include "shiftnorm/adapt/mode_fields.hpp"
#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/text.hpp"
#include "values.hpp"

namespace shiftnorm::config {
namespace {

using adapt::LayerRule, adapt::Mode;
using yaml::Node;

/// A mode while it is read: what was said matters for what is filled in.
struct Draft {
  Mode mode;
  bool has_policy = false, has_shuffle = false;
};

constexpr Field<LayerRule> kLayers[] = {
    {"include", kTextsAt<&LayerRule::include>, "patterns of layers, with * and ?; absent: all"},
    {"exclude", kTextsAt<&LayerRule::exclude>, "patterns of layers that keep the source"},
    {"first", kWholeAt<kCount, &LayerRule::first>, "the first so many, in graph order"},
    {"last", kWholeAt<kCount, &LayerRule::last>, "the last so many"},
    {"min_level", kWholeAt<kCount, &LayerRule::min_level>, "from this level on"},
    {"max_level", kWholeAt<kCount, &LayerRule::max_level>, "up to this level"},
};

/// A policy by its name; a former name gets a note.
adapt::Policy policy_of(const Cursor& cursor, const std::string& name) {
  const adapt::Policy policy = cursor.placed([&] { return adapt::parse_policy(name); });
  std::vector<std::string>& notes = cursor.context().notes;
  std::string note = adapt::note_on_policy_name(name);
  if (!note.empty() && std::ranges::find(notes, note) == notes.end()) notes.push_back(std::move(note));
  return policy;
}

std::vector<std::string> policy_names() {
  std::vector<std::string> names = adapt::kPolicies.list();
  for (const adapt::FormerName& former : adapt::former_policy_names()) names.emplace_back(former.name);
  return names;
}

void read_policy(const Cursor& c, Draft& draft) {
  draft.mode.policy = policy_of(c, c.text());
  draft.has_policy = true;
}

void read_shuffle(const Cursor& c, Draft& draft) {
  draft.has_shuffle = true;
  // Quoted too: writers of YAML 1.1, where off is a truth value, quote it, or write false.
  if (const auto on = yaml::truth_of(c.node().text); on && c.node().kind == Node::Kind::scalar) {
    if (*on) draft.mode.shuffle = c.context().seed;
    return;
  }
  try {
    draft.mode.shuffle = c.seed();
  } catch (const ConfigError&) {
    c.wrong("on (the run's seed), off, or a seed of at least 0");
  }
}

void read_shares(const Cursor& c, Draft& draft) {
  if (c.node().kind == Node::Kind::scalar) {
    const adapt::SharesFrom from = c.word(adapt::kSharesFrom);
    if (from == adapt::SharesFrom::given) c.wrong("a map of classes to their shares, labels or estimate");
    draft.mode.shares = {from, {}};
    return;
  }
  if (c.node().kind != Node::Kind::map) c.wrong("a map of classes to their shares, labels or estimate");
  adapt::ShareList shares;
  for (const yaml::Member& member : c.node().members) shares.emplace_back(member.key, c.child(member).number(kShare));
  draft.mode.shares = c.placed([&] { return adapt::given_shares(std::move(shares)); });
}

constexpr Field<Draft> kMode[] = {
    {"name", kTextAt<&Draft::mode, &Mode::name>, "what results call it (default: the policy)"},
    {"policy",
     {read_policy, nullptr, [] { return words_schema(policy_names()); }},
     "which statistics the network then uses (default: the name's)"},
    {"semantics", kWordAt<adapt::kSemantics, &Draft::mode, &Mode::semantics>,
     "how the network is normalised while it is measured"},
    {"estimator", kWordAt<adapt::kEstimators, &Draft::mode, &Mode::estimator>,
     "how the measured numbers are combined; all but the first with semantics batch"},
    {"batch", kWholeAt<kBatchSize, &Draft::mode, &Mode::batch>, "images in a batch, where batches matter"},
    {"momentum", kNumberAt<kShare, &Draft::mode, &Mode::momentum>,
     "PyTorch's p, for estimators that use it (default: the layer's own)"},
    {"shuffle",
     {read_shuffle, nullptr,
      [] {
        return one_of({truth_schema(), whole_schema(kSeed)});
      }},
     "order of the batches: on (by the run's seed), off, or a seed"},
    {"source_weight", kNumberAt<kShare, &Draft::mode, &Mode::source_weight>, "of a blend: lambda"},
    {"prior_images", kNumberAt<kNotNegative, &Draft::mode, &Mode::prior_images>,
     "of a blend: the source counts as so many images"},
    {"shares",
     {read_shares, nullptr,
      [] {
        return one_of({words_schema(std::array{std::string("estimate"), std::string("labels")}),
                       dictionary_schema(number_schema(kShare))});
      }},
     "of matched: the target's mixture of classes; estimate (default), labels, or each class's share"},
    {"prior_correction", kTruthAt<&Draft::mode, &Mode::prior_correction>,
     "of matched: outputs are corrected for that mixture, too"},
    {"layers", kMapAt<kLayers, &Draft::mode, &Mode::layers>, "which layers take part (default: all)"},
};

/// A field's value as a node; null: absent.
struct ValueNode {
  Node operator()(std::monostate) const { return {}; }
  Node operator()(const std::string& text) const { return write_text(text); }
  Node operator()(std::int64_t value) const { return write_integer(value); }
  Node operator()(std::uint64_t value) const { return write_seed(value); }
  Node operator()(double value) const { return write_number(value); }
  Node operator()(bool value) const { return write_truth(value); }
  Node operator()(const adapt::ShareList& shares) const {
    Node node = Node::map();
    for (const auto& [name, share] : shares) node.add(name, write_number(share));
    return node;
  }
  Node operator()(const std::vector<std::string>& texts) const { return write_texts(texts); }
};

Node write_mode(const Mode& mode) {
  Node node = Node::map(), layers = Node::map();
  for (const adapt::ModeField& field : adapt::mode_fields()) {
    Node value = std::visit(ValueNode{}, field.value(mode));
    if (field.name == "shares" && !field.matters(mode)) continue;
    if (field.name == "shuffle" && value.kind == Node::Kind::null) value = write_text("off");
    if (field.name.starts_with(adapt::kLayerFields))
      layers.add(std::string(field.name.substr(adapt::kLayerFields.size())), std::move(value));
    else
      node.add(std::string(field.name), std::move(value));
  }
  if (!layers.members.empty()) node.add("layers", std::move(layers));
  return node;
}

Mode read_mode(const Cursor& cursor) {
  Draft draft;
  if (cursor.node().kind == Node::Kind::scalar) {
    draft.mode.policy = policy_of(cursor, cursor.text());
    draft.mode.name = cursor.text();
  } else {
    if (cursor.node().kind != Node::Kind::map) cursor.wrong("a policy's name or a map");
    read_map(cursor, kMode, draft);
    if (!draft.has_policy) {
      if (!adapt::find_policy(draft.mode.name))
        cursor.fail(
            fmt::format("{}.policy is missing; expected one of {}", cursor.path(), join(adapt::kPolicies.list())));
      draft.mode.policy = policy_of(cursor, draft.mode.name);
    }
    if (draft.mode.name.empty()) draft.mode.name = adapt::name_of(draft.mode.policy);
  }
  if (!draft.has_shuffle) settle_shuffle(draft.mode, cursor.context().seed);
  adapt::require_valid(draft.mode, fmt::format("{}: {}", cursor.node().place.text(), cursor.path()));
  return draft.mode;
}

}  // namespace

void settle_shuffle(Mode& mode, std::uint64_t seed) {
  if (mode.semantics == adapt::Semantics::batch && mode.policy != adapt::Policy::batch) mode.shuffle = seed;
}

void read_modes(const Cursor& cursor, std::vector<Mode>& modes) {
  for (const Cursor& item : cursor.list()) {
    Mode mode = read_mode(item);
    if (std::ranges::any_of(modes, [&](const Mode& other) { return other.name == mode.name; }))
      item.fail(fmt::format("{} has the name '{}' of an earlier mode; expected another (name: ...)", item.path(),
                            printable(mode.name)));
    modes.push_back(std::move(mode));
  }
}

Node write_modes(const std::vector<Mode>& modes) {
  Node node = Node::sequence();
  for (const Mode& mode : modes) node.items.push_back(write_mode(mode));
  return node;
}

Json mode_schema() {
  Json map = map_schema(kMode);
  // The name of a policy alone is enough.
  map.set(
      "anyOf",
      Json::array({required_keys({"policy"}),
                   required_keys({"name"}).set("properties", Json::object({{"name", words_schema(policy_names())}}))}));
  return one_of({words_schema(policy_names()), std::move(map)});
}

}  // namespace shiftnorm::config
