#include <algorithm>
#include <variant>

#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"
#include "values.hpp"

namespace shiftnorm::config {
namespace {

using imaging::CenterCrop, imaging::Convert, imaging::Normalize, imaging::Pipeline, imaging::Resize, imaging::Step,
    imaging::ToFloat, imaging::Voi, imaging::VoiRule, imaging::VoiWindow;
using yaml::Node;

constexpr Whole kSide{1, 16384};  // above it a typing error, not an image

std::pair<std::int64_t, std::int64_t> read_sides(const Cursor& c) {
  const std::vector<Cursor> both = c.list();
  if (both.size() != 2) c.wrong("[height, width]");
  return {both[0].integer(kSide), both[1].integer(kSide)};
}
Node write_sides(std::int64_t height, std::int64_t width) {
  return Node::sequence({write_integer(height), write_integer(width)});
}
Json sides_schema() { return one_of({whole_schema(kSide), list_schema(whole_schema(kSide), 2, 2)}); }

void read_size(const Cursor& c, Resize& r) {
  if (c.node().kind == Node::Kind::sequence)
    std::tie(r.height, r.width) = read_sides(c);
  else
    r.size = c.integer(kSide);
}
Node write_size(const Resize& r) { return r.size > 0 ? write_integer(r.size) : write_sides(r.height, r.width); }

constexpr Field<Resize> kResize[] = {
    {"resize", {read_size, write_size, sides_schema}, "the shorter side, or [height, width]", true},
    {"interpolation", kWordAt<imaging::kInterpolations, &Resize::interpolation>, {}},
    {"antialias", kTruthAt<&Resize::antialias>, {}},
};

void read_crop(const Cursor& c, CenterCrop& crop) {
  if (c.node().kind == Node::Kind::sequence)
    std::tie(crop.height, crop.width) = read_sides(c);
  else
    crop.height = crop.width = c.integer(kSide);
}

constexpr Field<CenterCrop> kCenterCrop[] = {
    {"center_crop",
     {read_crop, [](const CenterCrop& crop) { return write_sides(crop.height, crop.width); }, sides_schema},
     "the side, or [height, width]",
     true},
};

constexpr Range kDivisor{1e-30};  // a float32 divisor must not vanish

constexpr Field<ToFloat> kScale[] = {
    {"scale", kNumberAt<kDivisor, &ToFloat::scale>, "x / scale; absent: what the bits hold"},
};

void read_to_float(const Cursor& c, ToFloat& t) {
  if (c.node().kind != Node::Kind::null) read_map(c, kScale, t);
}

constexpr Field<ToFloat> kToFloat[] = {
    {"to_float",
     {read_to_float, [](const ToFloat& t) { return write_map(kScale, t); },
      [] {
        return one_of({Json::object({{"type", "null"}}), map_schema(kScale)});
      }},
     {},
     true},
};

/// One number for every channel, or one for each.
template <const Range& Bounds, std::vector<double> Normalize::*Values>
constexpr Value<Normalize> kNumbers{[](const Cursor& c, Normalize& n) {
                                      if (c.node().kind == Node::Kind::scalar)
                                        n.*Values = {c.number(Bounds)};
                                      else
                                        for (const Cursor& one : c.list()) (n.*Values).push_back(one.number(Bounds));
                                    },
                                    [](const Normalize& n) {
                                      Node node = Node::sequence();
                                      for (const double value : n.*Values) node.items.push_back(write_number(value));
                                      return node;
                                    },
                                    [] {
                                      return one_of({number_schema(Bounds), list_schema(number_schema(Bounds))});
                                    }};

constexpr Field<Normalize> kMeanStd[] = {
    {"mean", kNumbers<kAnyNumber, &Normalize::mean>, {}, true},
    {"std", kNumbers<kDivisor, &Normalize::std>, {}, true},
};

void read_normalize(const Cursor& c, Normalize& n) {
  read_map(c, kMeanStd, n);
  if (n.mean.size() != n.std.size())
    c.fail(fmt::format("{} has {} means and {} stds; expected as many of each", c.path(), n.mean.size(), n.std.size()));
}

constexpr Field<Normalize> kNormalize[] = {
    {"normalize",
     {read_normalize, [](const Normalize& n) { return write_map(kMeanStd, n); }, [] { return map_schema(kMeanStd); }},
     "(x - mean) / std for each channel",
     true},
};

/// PIL's names of images of so many channels.
constexpr auto kChannels = names<Named<std::int64_t>>("mode", {{"L", 1}, {"RGB", 3}});

constexpr Field<Convert> kConvert[] = {
    {"convert", kWordAt<kChannels, &Convert::channels>, "grey or colours, as PIL converts", true},
};

/// [centre, width] or [centre, width, function].
VoiWindow read_window(const Cursor& c) {
  const std::vector<Cursor> parts = c.list();
  if (parts.size() != 2 && parts.size() != 3) c.wrong("[centre, width] or [centre, width, function]");
  VoiWindow window;
  window.centre = parts[0].number(kAnyNumber);
  window.width = parts[1].number(kDivisor);
  if (parts.size() == 3) window.function = parts[2].word(imaging::kVoiFunctions);
  return window;
}
Node write_window(const VoiWindow& window) {
  return Node::sequence({write_number(window.centre), write_number(window.width),
                         write_text(imaging::kVoiFunctions.name_of(window.function))});
}
Json window_schema() {
  Json parts =
      Json::array({number_schema(kAnyNumber), number_schema(kDivisor), words_schema(imaging::kVoiFunctions.list())});
  return Json::object({{"type", "array"}, {"minItems", 2}, {"maxItems", 3}, {"items", std::move(parts)}});
}

void read_windows(const Cursor& c, Voi& v) {
  v.rule = VoiRule::window;
  const std::vector<Cursor> parts = c.list();
  if (parts.empty() || parts[0].node().kind != Node::Kind::sequence) {
    v.windows = {read_window(c)};
    return;
  }
  if (parts.size() != 3) c.wrong("one window, or three for three channels");
  for (const Cursor& one : parts) v.windows.push_back(read_window(one));
}
Node write_windows(const Voi& v) {
  if (v.rule != VoiRule::window) return {};
  if (v.windows.size() == 1) return write_window(v.windows[0]);
  Node node = Node::sequence();
  for (const VoiWindow& window : v.windows) node.items.push_back(write_window(window));
  return node;
}

constexpr Range kPercent{0, 100};

void read_percentiles(const Cursor& c, Voi& v) {
  v.rule = VoiRule::percentile;
  const std::vector<Cursor> both = c.list();
  if (both.size() != 2) c.wrong("[low, high] in percent");
  v.low = both[0].number(kPercent);
  v.high = both[1].number(kPercent);
  if (v.low >= v.high) c.wrong("0 <= low < high <= 100");
}
Node write_percentiles(const Voi& v) {
  return v.rule == VoiRule::percentile ? Node::sequence({write_number(v.low), write_number(v.high)}) : Node{};
}

constexpr Field<Voi> kRuleMaps[] = {
    {"window",
     {read_windows, write_windows,
      [] {
        return one_of({window_schema(), list_schema(window_schema(), 3, 3)});
      }},
     "[centre, width] or [centre, width, function]; three for three channels"},
    {"percentile",
     {read_percentiles, write_percentiles, [] { return list_schema(number_schema(kPercent), 2, 2); }},
     "[low, high] in percent of the values"},
};

/// Rules that are a word; the others are keys of kRuleMaps.
std::vector<std::string> rule_words() {
  std::vector<std::string> words;
  for (const imaging::VoiRuleFacts& rule : imaging::kVoiRules)
    if (!rule.with_values) words.emplace_back(rule.name);
  return words;
}

void read_rule(const Cursor& c, Voi& v) {
  if (c.node().kind == Node::Kind::map) {
    if (c.node().members.size() != 1) c.wrong("one rule: window or percentile");
    return read_map(c, kRuleMaps, v);
  }
  const imaging::VoiRuleFacts* rule = imaging::kVoiRules.find(c.text());
  if (rule == nullptr || rule->with_values)
    c.wrong(fmt::format("{}, {{window: ..}} or {{percentile: ..}}", join(rule_words())));
  v.rule = rule->value;
}
Node write_rule(const Voi& v) {
  const imaging::VoiRuleFacts& rule = imaging::kVoiRules[v.rule];
  return rule.with_values ? write_map(kRuleMaps, v) : write_text(rule.name);
}
Json rule_schema() {
  return one_of({words_schema(rule_words()), map_schema(kRuleMaps).set("minProperties", 1).set("maxProperties", 1)});
}

/// Whether pixels that are not square are left as they are.
constexpr auto kAspects = names<Named<bool>>("aspect", {{"square", false}, {"ignore", true}});
constexpr Whole kVoiIndex{0, 1'000'000};

template <auto Member>
bool differs(const Voi& v) {
  return v.*Member != Voi{}.*Member;
}

constexpr Field<Voi> kVoi[] = {
    {"voi", {read_rule, write_rule, rule_schema}, "how the stored values become grey levels", true},
    {"scope", kOnlyIf<differs<&Voi::scope>, kWordAt<imaging::kVoiScopes, &Voi::scope>>,
     "minmax, percentile: of one image, or of its whole series"},
    {"voi_index", kOnlyIf<differs<&Voi::index>, kWholeAt<kVoiIndex, &Voi::index>>,
     "file: which of the windows or tables of the file"},
    {"equalize", kFlagAt<&Voi::equalize>, "histogram equalisation in 8 bits"},
    {"quantize8", kFlagAt<&Voi::quantize8>, "round to 8 bits"},
    {"aspect", kOnlyIf<differs<&Voi::ignore_aspect>, kWordAt<kAspects, &Voi::ignore_aspect>>,
     "pixels that are not square: made square, or left"},
};

template <class T, const auto& Table>
Step read_step(const Cursor& cursor) {
  T step;
  read_map(cursor, Table, step);
  return step;
}

struct StepKind {
  std::string_view key;
  Step (*read)(const Cursor&);
  Json (*schema)();
};
template <class T, const auto& Table>
constexpr StepKind kStep{Table[0].key, read_step<T, Table>, [] { return map_schema(Table); }};
constexpr StepKind kSteps[] = {
    kStep<Resize, kResize>,   kStep<CenterCrop, kCenterCrop>, kStep<Convert, kConvert>,
    kStep<ToFloat, kToFloat>, kStep<Normalize, kNormalize>,   kStep<Voi, kVoi>,
};

Node write_step(const Resize& s) { return write_map(kResize, s); }
Node write_step(const CenterCrop& s) { return write_map(kCenterCrop, s); }
Node write_step(const Voi& s) { return write_map(kVoi, s); }
Node write_step(const Convert& s) { return write_map(kConvert, s); }
Node write_step(const ToFloat& s) { return write_map(kToFloat, s); }
Node write_step(const Normalize& s) { return write_map(kNormalize, s); }

Step read_any_step(const Cursor& cursor) {
  std::vector<std::string> keys;
  for (const StepKind& kind : kSteps) keys.emplace_back(kind.key);
  if (cursor.node().kind != Node::Kind::map) cursor.wrong(fmt::format("a map with one of {}", join(keys)));
  for (const StepKind& kind : kSteps)
    if (cursor.node().find(kind.key) != nullptr) return kind.read(cursor);
  if (cursor.node().members.empty()) cursor.wrong(fmt::format("a map with one of {}", join(keys)));
  unknown_key(cursor.node().members.front(), cursor.path(), keys);
}

void check_order(const Cursor& cursor, const std::vector<Step>& steps) {
  bool floating = false;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (i > 0 && std::holds_alternative<Voi>(steps[i]))
      cursor.item(i).fail(fmt::format("{}[{}] is a voi after other steps; expected it first", cursor.path(), i));
    const bool normalize = std::holds_alternative<Normalize>(steps[i]);
    if (std::holds_alternative<ToFloat>(steps[i])) {
      if (floating) cursor.item(i).fail(fmt::format("{}[{}] is a second to_float; expected one", cursor.path(), i));
      floating = true;
    } else if (normalize != floating) {
      cursor.item(i).fail(fmt::format("{}[{}] comes {} to_float; expected {} to_float", cursor.path(), i,
                                      normalize ? "before" : "after",
                                      normalize ? "normalize after" : "image steps before"));
    }
  }
  if (!floating)
    cursor.fail(fmt::format("{} has no to_float; expected one (scale: 1 keeps the values)", cursor.path()));
}

}  // namespace

void read_pipeline(const Cursor& cursor, Pipeline& pipeline) {
  if (cursor.node().kind == Node::Kind::scalar) {
    pipeline = cursor.placed([&] { return imaging::preset(cursor.text()); });
    return;
  }
  if (cursor.node().kind != Node::Kind::sequence) cursor.wrong("a preset's name or a list of steps");
  pipeline.name = "custom";
  for (const Cursor& step : cursor.list()) pipeline.steps.push_back(read_any_step(step));
  check_order(cursor, pipeline.steps);
}

Node write_pipeline(const Pipeline& pipeline) {
  Node node = Node::sequence();
  for (const Step& step : pipeline.steps)
    node.items.push_back(std::visit([](const auto& one) { return write_step(one); }, step));
  return node;
}

Json pipeline_schema() {
  std::vector<Json> steps;
  for (const StepKind& kind : kSteps) steps.push_back(kind.schema());
  return list_schema(one_of(std::move(steps)));
}

Pipeline parse_pipeline(std::string_view text, const std::string& file_name) {
  const Node root = yaml::parse(text, file_name);
  ReadContext context;
  Pipeline pipeline;
  read_pipeline(Cursor(root, "preprocess", context), pipeline);
  return pipeline;
}

imaging::Pipeline find_pipeline(const std::string& given) {
  constexpr std::uint64_t kMaxStepsBytes = 1 << 20;
  const std::vector<std::string> presets = imaging::preset_names();
  if (std::ranges::find(presets, given) != presets.end()) return imaging::preset(given);
  if (!std::filesystem::is_regular_file(given))
    throw ConfigError(fmt::format("'{}' is neither a preset nor a file; expected one of {} or a YAML file of steps",
                                  printable(given), join(presets)));
  return parse_pipeline(as_text(read_file(given, kMaxStepsBytes)), std::filesystem::path(given).filename().string());
}

std::string pipeline_yaml(const Pipeline& pipeline) { return yaml::emit(write_pipeline(pipeline)); }

}  // namespace shiftnorm::config
