#include <algorithm>
#include <variant>

#include "schema.hpp"
#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::config {
namespace {

using imaging::CenterCrop, imaging::Convert, imaging::Interpolation, imaging::Normalize, imaging::Pipeline,
    imaging::Resize, imaging::Step, imaging::ToFloat, imaging::Voi, imaging::VoiFunction, imaging::VoiRule,
    imaging::VoiScope, imaging::VoiWindow;
using yaml::Node;

constexpr std::int64_t kMaxSide = 16384;  // a typing error, not an image, above this

struct InterpolationName {
  std::string_view name;
  Interpolation value;
};
constexpr InterpolationName kInterpolations[] = {
    {"nearest", Interpolation::nearest}, {"bilinear", Interpolation::bilinear}, {"bicubic", Interpolation::bicubic}};

void read_interpolation(const Cursor& c, Resize& r) {
  const std::string name = c.text();
  for (const InterpolationName& known : kInterpolations)
    if (known.name == name) {
      r.interpolation = known.value;
      return;
    }
  c.wrong("nearest, bilinear or bicubic");
}
Node write_interpolation(const Resize& r) {
  for (const InterpolationName& known : kInterpolations)
    if (known.value == r.interpolation) return write_text(known.name);
  return {};
}

std::pair<std::int64_t, std::int64_t> read_sides(const Cursor& c) {
  const std::vector<Cursor> both = c.list();
  if (both.size() != 2) c.wrong("[height, width]");
  return {both[0].integer(1, kMaxSide), both[1].integer(1, kMaxSide)};
}
Node write_sides(std::int64_t height, std::int64_t width) {
  return Node::sequence({write_integer(height), write_integer(width)});
}

constexpr Field<Resize> kResize[] = {
    {"resize",
     [](const Cursor& c, Resize& r) {
       if (c.node().kind == Node::Kind::sequence)
         std::tie(r.height, r.width) = read_sides(c);
       else
         r.size = c.integer(1, kMaxSide);
     },
     [](const Resize& r) { return r.size > 0 ? write_integer(r.size) : write_sides(r.height, r.width); }, true},
    {"interpolation", read_interpolation, write_interpolation},
    {"antialias", [](const Cursor& c, Resize& r) { r.antialias = c.truth(); },
     [](const Resize& r) { return Node::scalar(r.antialias ? "true" : "false"); }},
};

constexpr Field<CenterCrop> kCenterCrop[] = {
    {"center_crop",
     [](const Cursor& c, CenterCrop& crop) {
       if (c.node().kind == Node::Kind::sequence)
         std::tie(crop.height, crop.width) = read_sides(c);
       else
         crop.height = crop.width = c.integer(1, kMaxSide);
     },
     [](const CenterCrop& crop) { return write_sides(crop.height, crop.width); }, true},
};

constexpr double kLeastDivisor = 1e-30;  // a float32 divisor must not vanish

constexpr Field<ToFloat> kScale[] = {
    {"scale", [](const Cursor& c, ToFloat& t) { t.scale = c.number(kLeastDivisor); },
     [](const ToFloat& t) { return t.scale ? write_number(*t.scale) : Node{}; }},
};
constexpr Field<ToFloat> kToFloat[] = {
    {"to_float",
     [](const Cursor& c, ToFloat& t) {
       if (c.node().kind != Node::Kind::null) read_map(c, kScale, t);
     },
     [](const ToFloat& t) { return write_map(kScale, t); }, true},
};

template <std::vector<double> Normalize::*Values>
void read_numbers(const Cursor& c, Normalize& n) {
  const bool divisor = Values == &Normalize::std;
  if (c.node().kind == Node::Kind::scalar) {
    (n.*Values) = {c.number(divisor ? kLeastDivisor : std::numeric_limits<double>::lowest())};
    return;
  }
  for (const Cursor& one : c.list())
    (n.*Values).push_back(one.number(divisor ? kLeastDivisor : std::numeric_limits<double>::lowest()));
}
template <std::vector<double> Normalize::*Values>
Node write_numbers(const Normalize& n) {
  Node node = Node::sequence();
  for (const double value : n.*Values) node.items.push_back(write_number(value));
  return node;
}
constexpr Field<Normalize> kMeanStd[] = {
    {"mean", read_numbers<&Normalize::mean>, write_numbers<&Normalize::mean>, true},
    {"std", read_numbers<&Normalize::std>, write_numbers<&Normalize::std>, true},
};
constexpr Field<Normalize> kNormalize[] = {
    {"normalize",
     [](const Cursor& c, Normalize& n) {
       read_map(c, kMeanStd, n);
       if (n.mean.size() != n.std.size())
         c.fail(fmt::format("{} has {} means and {} stds; expected as many of each", c.path(), n.mean.size(),
                            n.std.size()));
     },
     [](const Normalize& n) { return write_map(kMeanStd, n); }, true},
};

constexpr Field<Convert> kConvert[] = {
    {"convert",
     [](const Cursor& c, Convert& convert) {
       const std::string mode = c.text();
       if (mode != "L" && mode != "RGB") c.wrong("L or RGB");
       convert.channels = mode == "L" ? 1 : 3;
     },
     [](const Convert& convert) { return write_text(convert.channels == 1 ? "L" : "RGB"); }, true},
};

struct RuleName {
  std::string_view name;
  VoiRule value;
};
constexpr RuleName kRules[] = {{"automatic", VoiRule::automatic},
                               {"file", VoiRule::file},
                               {"bits", VoiRule::bits},
                               {"minmax", VoiRule::minmax},
                               {"none", VoiRule::none}};

struct FunctionName {
  std::string_view name;
  VoiFunction value;
};
constexpr FunctionName kFunctions[] = {
    {"LINEAR", VoiFunction::linear}, {"LINEAR_EXACT", VoiFunction::linear_exact}, {"SIGMOID", VoiFunction::sigmoid}};

/// [centre, width] or [centre, width, function].
VoiWindow read_window(const Cursor& c) {
  const std::vector<Cursor> parts = c.list();
  if (parts.size() != 2 && parts.size() != 3) c.wrong("[centre, width] or [centre, width, function]");
  VoiWindow window;
  window.centre = parts[0].number(std::numeric_limits<double>::lowest());
  window.width = parts[1].number(kLeastDivisor);
  if (parts.size() == 2) return window;
  const std::string name = parts[2].text();
  for (const FunctionName& known : kFunctions)
    if (known.name == name) {
      window.function = known.value;
      return window;
    }
  parts[2].wrong("LINEAR, LINEAR_EXACT or SIGMOID");
}
Node write_window(const VoiWindow& window) {
  Node node = Node::sequence({write_number(window.centre), write_number(window.width)});
  for (const FunctionName& known : kFunctions)
    if (known.value == window.function) node.items.push_back(write_text(known.name));
  return node;
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

void read_percentiles(const Cursor& c, Voi& v) {
  v.rule = VoiRule::percentile;
  const std::vector<Cursor> both = c.list();
  if (both.size() != 2) c.wrong("[low, high] in percent");
  v.low = both[0].number(0);
  v.high = both[1].number(0);
  if (v.low >= v.high || v.high > 100) c.wrong("0 <= low < high <= 100");
}

constexpr Field<Voi> kRuleMaps[] = {
    {"window", read_windows,
     [](const Voi& v) {
       if (v.rule != VoiRule::window) return Node{};
       if (v.windows.size() == 1) return write_window(v.windows[0]);
       Node node = Node::sequence();
       for (const VoiWindow& window : v.windows) node.items.push_back(write_window(window));
       return node;
     }},
    {"percentile", read_percentiles,
     [](const Voi& v) {
       return v.rule == VoiRule::percentile ? Node::sequence({write_number(v.low), write_number(v.high)}) : Node{};
     }},
};

void read_rule(const Cursor& c, Voi& v) {
  if (c.node().kind == Node::Kind::map) {
    if (c.node().members.size() != 1) c.wrong("one rule: window or percentile");
    return read_map(c, kRuleMaps, v);
  }
  const std::string name = c.text();
  for (const RuleName& known : kRules)
    if (known.name == name) {
      v.rule = known.value;
      return;
    }
  c.wrong("file, bits, minmax, none, automatic, {window: ..} or {percentile: ..}");
}
Node write_rule(const Voi& v) {
  for (const RuleName& known : kRules)
    if (known.value == v.rule) return write_text(known.name);
  return write_map(kRuleMaps, v);
}

template <bool Voi::*Flag>
void read_flag(const Cursor& c, Voi& v) {
  v.*Flag = c.truth();
}
template <bool Voi::*Flag>
Node write_flag(const Voi& v) {
  return v.*Flag ? Node::scalar("true") : Node{};
}

constexpr Field<Voi> kVoi[] = {
    {"voi", read_rule, write_rule, true},
    {"scope",
     [](const Cursor& c, Voi& v) {
       const std::string name = c.text();
       if (name != "image" && name != "series") c.wrong("image or series");
       v.scope = name == "series" ? VoiScope::series : VoiScope::image;
     },
     [](const Voi& v) { return v.scope == VoiScope::series ? write_text("series") : Node{}; }},
    {"voi_index", [](const Cursor& c, Voi& v) { v.index = c.integer(0, 1'000'000); },
     [](const Voi& v) { return v.index > 0 ? write_integer(v.index) : Node{}; }},
    {"equalize", read_flag<&Voi::equalize>, write_flag<&Voi::equalize>},
    {"quantize8", read_flag<&Voi::quantize8>, write_flag<&Voi::quantize8>},
    {"aspect",
     [](const Cursor& c, Voi& v) {
       const std::string name = c.text();
       if (name != "square" && name != "ignore") c.wrong("square or ignore");
       v.ignore_aspect = name == "ignore";
     },
     [](const Voi& v) { return v.ignore_aspect ? write_text("ignore") : Node{}; }},
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
};
constexpr StepKind kSteps[] = {
    {"resize", read_step<Resize, kResize>},          {"center_crop", read_step<CenterCrop, kCenterCrop>},
    {"convert", read_step<Convert, kConvert>},       {"to_float", read_step<ToFloat, kToFloat>},
    {"normalize", read_step<Normalize, kNormalize>}, {"voi", read_step<Voi, kVoi>},
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
