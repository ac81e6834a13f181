#include <algorithm>

#include "schema.hpp"
#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::config {
namespace {

using adapt::LayerRule, adapt::Mode;
using yaml::Node;

/// A mode while it is read: what was said matters for what is filled in.
struct Draft {
  Mode mode;
  bool has_policy = false, has_shuffle = false;
};

template <std::optional<std::int64_t> LayerRule::*Value>
void read_count(const Cursor& c, LayerRule& rule) {
  rule.*Value = c.integer(1);
}
template <std::optional<std::int64_t> LayerRule::*Value>
Node write_count(const LayerRule& rule) {
  return rule.*Value ? write_integer(*(rule.*Value)) : Node{};
}

constexpr Field<LayerRule> kLayers[] = {
    {"include", [](const Cursor& c, LayerRule& r) { r.include = c.texts(); },
     [](const LayerRule& r) { return write_texts(r.include); }},
    {"exclude", [](const Cursor& c, LayerRule& r) { r.exclude = c.texts(); },
     [](const LayerRule& r) { return write_texts(r.exclude); }},
    {"first", read_count<&LayerRule::first>, write_count<&LayerRule::first>},
    {"last", read_count<&LayerRule::last>, write_count<&LayerRule::last>},
    {"min_level", read_count<&LayerRule::min_level>, write_count<&LayerRule::min_level>},
    {"max_level", read_count<&LayerRule::max_level>, write_count<&LayerRule::max_level>},
};

Node write_optional(const std::optional<double>& value) { return value ? write_number(*value) : Node{}; }

constexpr std::int64_t kMaxBatch = std::int64_t{1} << 30;

/// A policy by its name; a former name gets a note.
adapt::Policy policy_of(const Cursor& cursor, const std::string& name) {
  const adapt::Policy policy = cursor.placed([&] { return adapt::parse_policy(name); });
  std::vector<std::string>& notes = cursor.context().notes;
  std::string note = adapt::note_on_policy_name(name);
  if (!note.empty() && std::ranges::find(notes, note) == notes.end()) notes.push_back(std::move(note));
  return policy;
}

constexpr Field<Draft> kMode[] = {
    {"name", [](const Cursor& c, Draft& d) { d.mode.name = c.text(); },
     [](const Draft& d) { return write_text(d.mode.name); }},
    {"policy",
     [](const Cursor& c, Draft& d) {
       d.mode.policy = policy_of(c, c.text());
       d.has_policy = true;
     },
     [](const Draft& d) { return write_text(adapt::name_of(d.mode.policy)); }},
    {"semantics",
     [](const Cursor& c, Draft& d) { d.mode.semantics = c.placed([&] { return adapt::parse_semantics(c.text()); }); },
     [](const Draft& d) { return write_text(adapt::name_of(d.mode.semantics)); }},
    {"estimator",
     [](const Cursor& c, Draft& d) { d.mode.estimator = c.placed([&] { return adapt::parse_estimator(c.text()); }); },
     [](const Draft& d) { return write_text(adapt::name_of(d.mode.estimator)); }},
    {"batch", [](const Cursor& c, Draft& d) { d.mode.batch = c.integer(1, kMaxBatch); },
     [](const Draft& d) { return write_integer(d.mode.batch); }},
    {"momentum", [](const Cursor& c, Draft& d) { d.mode.momentum = c.number(0, 1); },
     [](const Draft& d) { return write_optional(d.mode.momentum); }},
    {"shuffle",
     [](const Cursor& c, Draft& d) {
       d.has_shuffle = true;
       // Quoted too: writers of YAML 1.1, where off is a truth value, quote it, or write false.
       if (const auto on = yaml::truth_of(c.node().text); on && c.node().kind == Node::Kind::scalar) {
         if (*on) d.mode.shuffle = c.context().seed;
         return;
       }
       try {
         d.mode.shuffle = c.seed();
       } catch (const ConfigError&) {
         c.wrong("on (the run's seed), off, or a seed of at least 0");
       }
     },
     [](const Draft& d) { return d.mode.shuffle ? write_seed(*d.mode.shuffle) : write_text("off"); }},
    {"source_weight", [](const Cursor& c, Draft& d) { d.mode.source_weight = c.number(0, 1); },
     [](const Draft& d) { return write_optional(d.mode.source_weight); }},
    {"prior_images", [](const Cursor& c, Draft& d) { d.mode.prior_images = c.number(0); },
     [](const Draft& d) { return write_optional(d.mode.prior_images); }},
    {"layers", [](const Cursor& c, Draft& d) { read_map(c, kLayers, d.mode.layers); },
     [](const Draft& d) { return d.mode.layers == LayerRule{} ? Node{} : write_map(kLayers, d.mode.layers); }},
};

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
            fmt::format("{}.policy is missing; expected one of {}", cursor.path(), join(adapt::policy_names())));
      draft.mode.policy = policy_of(cursor, draft.mode.name);
    }
    if (draft.mode.name.empty()) draft.mode.name = adapt::name_of(draft.mode.policy);
  }
  if (!draft.has_shuffle) settle_shuffle(draft.mode, cursor.context().seed);
  const std::vector<std::string> wrong = adapt::problems(draft.mode);
  std::string all;
  for (const std::string& one : wrong) all += (all.empty() ? "" : "; ") + one;
  if (!all.empty()) cursor.fail(fmt::format("{}: {}", cursor.path(), all));
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
  for (const Mode& mode : modes) node.items.push_back(write_map(kMode, Draft{mode, true, true}));
  return node;
}

}  // namespace shiftnorm::config
