#include "shiftnorm/config/config.hpp"

#include <algorithm>

#include "config_file.hpp"
#include "schema.hpp"
#include "shiftnorm/container/csv.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/metrics/metrics.hpp"
#include "shiftnorm/zoo/zoo.hpp"

namespace shiftnorm::config {
namespace {

namespace fs = std::filesystem;
using yaml::Node;

constexpr std::uint64_t kMaxConfigBytes = 1 << 20;

struct OutputName {
  std::string_view name;
  OutputKind kind;
};
constexpr OutputName kOutputs[] = {
    {"logits", OutputKind::logits}, {"probabilities", OutputKind::probabilities}, {"sigmoid", OutputKind::sigmoid}};

constexpr Field<ModelConfig> kModel[] = {
    {"checkpoint", [](const Cursor& c, ModelConfig& m) { m.checkpoint = c.input_path(); },
     [](const ModelConfig& m) { return write_text(m.checkpoint.string()); }, true},
    {"architecture",
     [](const Cursor& c, ModelConfig& m) {
       m.architecture = c.placed([&] { return zoo::architecture(c.text()).name; });
     },
     [](const ModelConfig& m) { return m.architecture.empty() ? Node{} : write_text(m.architecture); }},
    {"outputs",
     [](const Cursor& c, ModelConfig& m) {
       const std::string name = c.text();
       for (const OutputName& known : kOutputs)
         if (known.name == name) m.outputs = known.kind;
       if (!m.outputs) c.wrong("logits, probabilities or sigmoid");
     },
     [](const ModelConfig& m) {
       for (const OutputName& known : kOutputs)
         if (m.outputs == known.kind) return write_text(known.name);
       return Node{};
     }},
    {"graph", [](const Cursor& c, ModelConfig& m) { m.graph = c.input_path(); },
     [](const ModelConfig& m) { return m.graph.empty() ? Node{} : write_text(m.graph.string()); }},
    {"weights", [](const Cursor& c, ModelConfig& m) { m.weights = c.text(); },
     [](const ModelConfig& m) { return m.weights.empty() ? Node{} : write_text(m.weights); }},
    {"allow_unused", [](const Cursor& c, ModelConfig& m) { m.allow_unused = c.texts(); },
     [](const ModelConfig& m) { return write_texts(m.allow_unused); }},
};

constexpr Field<Config> kDataSets[] = {
    {"source", [](const Cursor& c, Config& config) { read_data(c, config.source.emplace()); },
     [](const Config& config) { return config.source ? write_data(*config.source) : Node{}; }},
    {"target", [](const Cursor& c, Config& config) { read_data(c, config.target); },
     [](const Config& config) { return write_data(config.target); }, true},
    {"classes",
     [](const Cursor& c, Config& config) {
       if (c.node().kind == Node::Kind::scalar) {
         config.classes = c.placed([&] { return read_classes(c.input_path()); });
         return;
       }
       config.classes = c.texts();
       c.placed([&] { imaging::check_classes(config.classes); });
     },
     [](const Config& config) { return write_texts(config.classes); }},
};

struct ProtocolName {
  std::string_view name;
  ProtocolKind kind;
};
constexpr ProtocolName kProtocols[] = {{"transductive", ProtocolKind::transductive},
                                       {"held_out", ProtocolKind::held_out},
                                       {"streaming", ProtocolKind::streaming}};

void read_kind(const Cursor& c, ProtocolConfig& protocol) {
  const std::string name = c.text();
  const auto known = std::ranges::find(kProtocols, name, &ProtocolName::name);
  if (known == std::end(kProtocols)) c.wrong("transductive, held_out or streaming");
  protocol.kind = known->kind;
}

void read_share(const Cursor& c, ProtocolConfig& protocol) {
  protocol.adapt = c.number(0, 1);
  if (protocol.adapt == 0 || protocol.adapt == 1) c.wrong("a number between 0 and 1");
}

template <ProtocolKind kind>
bool is(const ProtocolConfig& protocol) {
  return protocol.kind == kind;
}

constexpr Field<ProtocolConfig> kProtocol[] = {
    {"kind", read_kind, [](const ProtocolConfig& p) { return write_text(name_of(p.kind)); }, true},
    {"adapt", read_share,
     [](const ProtocolConfig& p) { return is<ProtocolKind::held_out>(p) ? write_number(p.adapt) : Node{}; }},
    {"by", [](const Cursor& c, ProtocolConfig& p) { p.by = c.text(); },
     [](const ProtocolConfig& p) { return p.by.empty() ? Node{} : write_text(p.by); }},
    {"batch", [](const Cursor& c, ProtocolConfig& p) { p.batch = c.integer(1, std::int64_t{1} << 30); },
     [](const ProtocolConfig& p) { return is<ProtocolKind::streaming>(p) ? write_integer(p.batch) : Node{}; }},
};

void read_protocol(const Cursor& c, Config& config) {
  ProtocolConfig& protocol = config.protocol;
  read_map(c, kProtocol, protocol);
  const auto only = [&](std::string_view key, ProtocolKind kind) {
    if (protocol.kind != kind && c.node().find(key) != nullptr)
      c.fail(fmt::format("{} has {} with kind {}; expected it with {} alone", c.path(), key, name_of(protocol.kind),
                         name_of(kind)));
  };
  only("adapt", ProtocolKind::held_out);
  only("by", ProtocolKind::held_out);
  only("batch", ProtocolKind::streaming);
  if (protocol.kind == ProtocolKind::streaming && config.target.domain)
    c.fail(
        fmt::format("{}.kind = streaming keeps one set of statistics, and data.target.domain makes several; "
                    "expected one of them",
                    c.path()));
}

constexpr double kLeastLevel = 0.5, kMostLevel = 0.9999;

constexpr Field<EvaluateConfig> kInterval[] = {
    {"method",
     [](const Cursor& c, EvaluateConfig& e) {
       const std::string method = c.text();
       if (method != "bootstrap" && method != "bca") c.wrong("bootstrap or bca");
       e.interval = method == "bca" ? metrics::IntervalKind::bca : metrics::IntervalKind::bootstrap;
     },
     [](const EvaluateConfig& e) { return write_text(metrics::name_of(e.interval)); }},
    {"resamples", [](const Cursor& c, EvaluateConfig& e) { e.resamples = c.integer(100, 1'000'000); },
     [](const EvaluateConfig& e) { return write_integer(e.resamples); }},
    {"level", [](const Cursor& c, EvaluateConfig& e) { e.level = c.number(kLeastLevel, kMostLevel); },
     [](const EvaluateConfig& e) { return write_number(e.level); }},
    {"by", [](const Cursor& c, EvaluateConfig& e) { e.by = c.text(); },
     [](const EvaluateConfig& e) { return e.by.empty() ? Node{} : write_text(e.by); }},
};

constexpr Field<EvaluateConfig> kEvaluate[] = {
    {"metrics",
     [](const Cursor& c, EvaluateConfig& e) {
       e.metrics.clear();
       for (const Cursor& one : c.list()) {
         const std::string name = one.text();
         one.placed([&] { return metrics::metric(name).name; });
         if (std::ranges::find(e.metrics, name) != e.metrics.end())
           one.fail(fmt::format("{} repeats {}; expected it once", one.path(), name));
         e.metrics.push_back(name);
       }
     },
     [](const EvaluateConfig& e) { return write_texts(e.metrics); }},
    {"subgroups", [](const Cursor& c, EvaluateConfig& e) { e.subgroups = c.texts(); },
     [](const EvaluateConfig& e) { return write_texts(e.subgroups); }},
    {"interval", [](const Cursor& c, EvaluateConfig& e) { read_map(c, kInterval, e); },
     [](const EvaluateConfig& e) { return write_map(kInterval, e); }},
    {"label_free", [](const Cursor& c, EvaluateConfig& e) { e.label_free = c.truth(); },
     [](const EvaluateConfig& e) { return Node::scalar(e.label_free ? "true" : "false"); }},
};

constexpr Field<ExportConfig> kExport[] = {
    {"mode", [](const Cursor& c, ExportConfig& e) { e.mode = c.text(); },
     [](const ExportConfig& e) { return write_text(e.mode); }, true},
    {"path", [](const Cursor& c, ExportConfig& e) { e.path = c.text(); },
     [](const ExportConfig& e) { return write_text(e.path.string()); }, true},
    {"allow_small_cohort", [](const Cursor& c, ExportConfig& e) { e.small_cohort = c.truth(); },
     [](const ExportConfig& e) { return e.small_cohort ? Node::scalar("true") : Node{}; }},
    {"to_inference", [](const Cursor& c, ExportConfig& e) { e.to_inference = c.truth(); },
     [](const ExportConfig& e) { return e.to_inference ? Node::scalar("true") : Node{}; }},
};

void read_export(const Cursor& c, Config& config) {
  ExportConfig& exported = config.exported.emplace();
  read_map(c, kExport, exported);
  std::vector<std::string> names;
  for (const adapt::Mode& mode : config.modes) names.push_back(mode.name);
  const auto found = std::ranges::find(names, exported.mode);
  if (found == names.end())
    c.fail(
        fmt::format("{}.mode = {} names no mode; expected one of {}", c.path(), printable(exported.mode), join(names)));
  const adapt::Policy policy = config.modes[static_cast<std::size_t>(found - names.begin())].policy;
  if (!adapt::exportable(policy))
    c.fail(fmt::format(
        "{}.mode = {} has policy {}, whose statistics change with every batch; expected a mode that a file can hold",
        c.path(), printable(exported.mode), adapt::name_of(policy)));
}

/// A preset, the list of steps, or a file that holds either; one that a file names is not looked for.
void read_preprocess(const Cursor& c, Config& config) {
  imaging::Pipeline& pipeline = config.preprocess.emplace();
  const std::vector<std::string> presets = imaging::preset_names();
  const bool text = c.node().kind == Node::Kind::scalar && !c.node().text.empty();
  if (!text || std::ranges::find(presets, c.text()) != presets.end()) return read_pipeline(c, pipeline);
  const fs::path file = c.input_path();
  const bool meant =
      c.text().find('/') != std::string::npos || file.extension() == ".yaml" || file.extension() == ".yml";
  std::error_code ignored;
  if (fs::is_regular_file(file, ignored))
    pipeline = parse_pipeline(as_text(read_file(file, kMaxConfigBytes)), file.filename().string());
  else if (meant)
    c.wrong(fmt::format("a YAML file of steps that is there, a list of steps, or a preset ({})", join(presets)));
  else
    read_pipeline(c, pipeline);
}

void read_name(const Cursor& c, Config& config) {
  config.name = c.text();
  const bool plain = config.name != "." && config.name != ".." && config.name.size() <= 100 &&
                     config.name.find('/') == std::string::npos && printable(config.name) == config.name;
  if (!plain) c.wrong("a name for the run folder: at most 100 characters, no '/'");
}

// Fields are read in this order: the seed before what shuffles by it, the modes before the export that names one.
constexpr Field<Config> kConfig[] = {
    {"name", read_name, [](const Config& c) { return write_text(c.name); }},
    {"seed", [](const Cursor& c, Config& config) { config.seed = c.context().seed = c.seed(); },
     [](const Config& c) { return write_seed(c.seed); }},
    {"model", [](const Cursor& c, Config& config) { read_map(c, kModel, config.model); },
     [](const Config& c) { return write_map(kModel, c.model); }, true},
    {"preprocess", read_preprocess,
     [](const Config& c) {
       if (!c.preprocess) return Node{};
       return c.preprocess->name == "custom" ? write_pipeline(*c.preprocess) : write_text(c.preprocess->name);
     }},
    {"data", [](const Cursor& c, Config& config) { read_map(c, kDataSets, config); },
     [](const Config& c) { return write_map(kDataSets, c); }, true},
    {"protocol", read_protocol, [](const Config& c) { return write_map(kProtocol, c.protocol); }},
    {"modes", [](const Cursor& c, Config& config) { read_modes(c, config.modes); },
     [](const Config& c) { return write_modes(c.modes); }, true},
    {"sweep",
     [](const Cursor& c, Config&) { c.fail(fmt::format("{} makes several runs; expected one run here", c.path())); }},
    {"evaluate", [](const Cursor& c, Config& config) { read_map(c, kEvaluate, config.evaluate); },
     [](const Config& c) { return write_map(kEvaluate, c.evaluate); }},
    {"export", read_export, [](const Config& c) { return c.exported ? write_map(kExport, *c.exported) : Node{}; }},
};

/// The whole configuration as YAML, each input path as `rewritten` gives it.
template <class Rewritten>
std::string with_paths(Config config, Rewritten rewritten) {
  config.model.checkpoint = rewritten(config.model.checkpoint);
  if (!config.model.graph.empty()) config.model.graph = rewritten(config.model.graph);
  for (DataConfig* data : {&config.target, config.source ? &*config.source : nullptr}) {
    if (data == nullptr) continue;
    data->path = rewritten(data->path);
    if (!data->dataset.labels.file.empty()) data->dataset.labels.file = rewritten(data->dataset.labels.file);
  }
  return yaml::emit(write_map(kConfig, config));
}

fs::path seen_from(const fs::path& path, const fs::path& folder) {
  return path.is_absolute() ? path : fs::relative(fs::absolute(path), fs::absolute(folder));
}

}  // namespace

Config config_of(const Node& root, const std::string& file_name, const ConfigOptions& options) {
  ReadContext context{options.root, 0};
  Config config;
  config.name = fs::path(file_name).stem().string();
  read_map(Cursor(root, "", context), kConfig, config);
  config.notes = std::move(context.notes);
  if (config.evaluate.metrics.empty())
    config.evaluate.metrics = default_metrics(config.target.dataset.labels.several());
  return config;
}

Node config_tree(std::string_view text, const std::string& file_name, const ConfigOptions& options) {
  Node root = yaml::parse(text, file_name);
  for (const std::string& assignment : options.sets) yaml::set(root, assignment);
  return root;
}

Config parse_config(std::string_view text, const std::string& file_name, const ConfigOptions& options) {
  return config_of(config_tree(text, file_name, options), file_name, options);
}

ConfigFile read_config_file(const fs::path& path, const ConfigOptions& options) {
  const std::vector<std::byte> bytes = read_file(path, kMaxConfigBytes);
  ConfigOptions resolved = options;
  if (resolved.root.empty()) resolved.root = path.parent_path();
  return {std::string(as_text(bytes)), path.filename().string(), std::move(resolved)};
}

std::string resolved_yaml(const Config& config, const fs::path& folder) {
  return with_paths(config, [&](const fs::path& path) { return seen_from(path, folder); });
}

std::string yaml_with_paths(const Config& config, const std::function<fs::path(const fs::path&)>& rewritten) {
  return with_paths(config, rewritten);
}

std::string shareable_yaml(const Config& config) {
  return with_paths(config, [](const fs::path& path) {
    return path.has_filename() ? path.filename() : path.parent_path().filename();
  });
}

std::string anonymous_yaml(const Config& config) {
  constexpr std::string_view kKeptBack = "kept-back";
  Config masked = config;
  for (DataConfig* data : {&masked.target, masked.source ? &*masked.source : nullptr}) {
    if (data == nullptr) continue;
    data->path = kKeptBack;
    if (!data->dataset.labels.file.empty()) data->dataset.labels.file = kKeptBack;
    for (auto& [attribute, values] : data->dataset.where)
      if (!imaging::names_nobody(attribute)) values = {std::string(kKeptBack)};
    imaging::TagLabel& label = data->dataset.dicom.label;
    if (imaging::names_nobody(label.tag)) continue;
    std::map<std::string, std::string> classes;
    for (const auto& [value, name] : label.map)
      classes.emplace(fmt::format("{}-{}", kKeptBack, classes.size() + 1), name);
    label.map = std::move(classes);
  }
  return shareable_yaml(masked);
}

std::string_view name_of(ProtocolKind kind) {
  for (const ProtocolName& known : kProtocols)
    if (known.kind == kind) return known.name;
  throw Error("a protocol without a name");
}

std::vector<std::string> default_metrics(bool findings) {
  // What one threshold says of a finding depends on how often it occurs; rankings do not.
  if (findings) return {"auroc", "average_precision"};
  std::vector<std::string> names;
  for (const metrics::MetricSpec& metric : metrics::metric_table())
    if (metric.by_default) names.emplace_back(metric.name);
  return names;
}

std::vector<std::string> read_classes(const fs::path& path) {
  const std::vector<std::byte> bytes = read_file(path, kMaxConfigBytes);
  std::vector<std::string> names;
  const std::string text = container::utf8_text(as_text(bytes));
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (!line.empty()) names.emplace_back(line);
  }
  if (names.empty())
    throw FormatError(fmt::format("{}: no class names; expected one per line", path.filename().string()));
  try {
    imaging::check_classes(names);
  } catch (const ConfigError&) {
    rethrow_at(path.filename().string());
  }
  return names;
}

}  // namespace shiftnorm::config
