#include "shiftnorm/experiment/config.hpp"

#include <algorithm>

#include "config_file.hpp"
#include "schema.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/metrics/metrics.hpp"
#include "shiftnorm/zoo/zoo.hpp"

namespace shiftnorm::experiment {
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

struct ReaderName {
  std::string_view name;
  imaging::Reader reader;
};
constexpr ReaderName kReaders[] = {{"auto", imaging::Reader::automatic},
                                   {"folder", imaging::Reader::folder},
                                   {"array", imaging::Reader::array},
                                   {"table", imaging::Reader::table},
                                   {"dicom", imaging::Reader::dicom}};

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
};

constexpr Field<imaging::Limit> kLimit[] = {
    {"per_class", [](const Cursor& c, imaging::Limit& l) { l.per_class = c.integer(1); },
     [](const imaging::Limit& l) { return l.per_class ? write_integer(*l.per_class) : Node{}; }},
    {"images", [](const Cursor& c, imaging::Limit& l) { l.images = c.integer(1); },
     [](const imaging::Limit& l) { return l.images ? write_integer(*l.images) : Node{}; }},
    {"seed", [](const Cursor& c, imaging::Limit& l) { l.seed = c.seed(); },
     [](const imaging::Limit& l) { return l.images ? write_seed(l.seed) : Node{}; }},
};

void read_limit(const Cursor& c, DataConfig& data) {
  data.limit.seed = c.context().seed;
  read_map(c, kLimit, data.limit);
  if (data.limit.per_class && data.limit.images)
    c.fail(fmt::format("{} has both per_class and images; expected one of them", c.path()));
  if (!data.limit.per_class && !data.limit.images)
    c.fail(fmt::format("{} has neither per_class nor images; expected one of them", c.path()));
  if (data.limit.per_class && c.node().find("seed") != nullptr)
    c.fail(fmt::format("{} has a seed with per_class, which draws nothing; expected seed with images", c.path()));
}

void read_layout(const Cursor& c, DataConfig& data) {
  data.layout = c.text();
  c.placed([&] { imaging::check_layout(data.layout); });
}

void read_shift(const Cursor& c, DataConfig& data) {
  if (c.node().kind != Node::Kind::map) c.wrong("shifts with their severities, e.g. {gaussian_noise: 3}");
  for (const yaml::Member& member : c.node().members) {
    const Cursor one = c.child(member);
    const imaging::Shift shift{member.key, static_cast<int>(one.integer(1, 5))};
    one.placed([&] { imaging::check_shift(shift); });
    data.shifts.push_back(shift);
  }
}

Node write_shift(const DataConfig& data) {
  if (data.shifts.empty()) return {};
  Node map = Node::map();
  for (const imaging::Shift& shift : data.shifts) map.add(shift.name, write_integer(shift.severity));
  return map;
}

void read_where(const Cursor& c, DataConfig& data) {
  if (c.node().kind != Node::Kind::map || c.node().members.empty()) c.wrong("a map of columns to lists of values");
  for (const yaml::Member& member : c.node().members) data.where[member.key] = c.child(member).texts();
}

Node write_where(const DataConfig& data) {
  Node node = data.where.empty() ? Node{} : Node::map();
  for (const auto& [column, values] : data.where) node.add(column, write_texts(values));
  return node;
}

constexpr Field<DomainConfig> kDomain[] = {
    {"key", [](const Cursor& c, DomainConfig& d) { d.key = c.text(); },
     [](const DomainConfig& d) { return write_text(d.key); }, true},
    {"min_images", [](const Cursor& c, DomainConfig& d) { d.min_images = c.integer(1); },
     [](const DomainConfig& d) { return write_integer(d.min_images); }},
    {"prior_images", [](const Cursor& c, DomainConfig& d) { d.prior_images = c.number(0); },
     [](const DomainConfig& d) { return write_number(d.prior_images); }},
};

void read_domain(const Cursor& c, DataConfig& data) {
  DomainConfig& domain = data.domain.emplace();
  if (c.node().kind == Node::Kind::map)
    read_map(c, kDomain, domain);
  else
    domain.key = c.text();
}

struct FramesName {
  std::string_view name;
  imaging::Frames frames;
};
constexpr FramesName kFrames[] = {
    {"first", imaging::Frames::first}, {"middle", imaging::Frames::middle}, {"all", imaging::Frames::all}};

constexpr Field<DataConfig> kMostFrames[] = {
    {"max", [](const Cursor& c, DataConfig& d) { d.dicom.most_frames = c.integer(1); },
     [](const DataConfig& d) { return write_integer(d.dicom.most_frames); }, true},
};

void read_frames(const Cursor& c, DataConfig& data) {
  if (c.node().kind == Node::Kind::map) {
    read_map(c, kMostFrames, data);
    data.dicom.frames = imaging::Frames::at_most;
    return;
  }
  const std::string name = c.text();
  for (const FramesName& known : kFrames)
    if (known.name == name) {
      data.dicom.frames = known.frames;
      return;
    }
  c.wrong("first, middle, all or {max: n}");
}
Node write_frames(const DataConfig& data) {
  for (const FramesName& known : kFrames)
    if (known.frames == data.dicom.frames) return write_text(known.name);
  return data.dicom.frames == imaging::Frames::at_most ? write_map(kMostFrames, data) : Node{};
}

constexpr Field<imaging::TagLabel> kTagLabel[] = {
    {"tag", [](const Cursor& c, imaging::TagLabel& l) { l.tag = c.text(); },
     [](const imaging::TagLabel& l) { return write_text(l.tag); }, true},
    {"map",
     [](const Cursor& c, imaging::TagLabel& l) {
       if (c.node().kind != Node::Kind::map || c.node().members.empty()) c.wrong("a map from values to class names");
       for (const yaml::Member& member : c.node().members) l.map[member.key] = c.child(member).text();
     },
     [](const imaging::TagLabel& l) {
       Node node = l.map.empty() ? Node{} : Node::map();
       for (const auto& [value, name] : l.map) node.add(value, write_text(name));
       return node;
     }},
};

/// A column of the table, or a list of columns with a finding each; `folder`: the class folders of DICOM objects; a
/// map: an attribute of theirs.
void read_label(const Cursor& c, DataConfig& data) {
  if (c.node().kind == Node::Kind::map)
    read_map(c, kTagLabel, data.dicom.label);
  else if (c.node().kind == Node::Kind::sequence)
    data.labels.findings = c.texts();
  else if (c.text() == "folder")
    data.dicom.label_folders = true;
  else
    data.labels.label = c.text();
}
Node write_label(const DataConfig& data) {
  if (!data.dicom.label.tag.empty()) return write_map(kTagLabel, data.dicom.label);
  if (data.dicom.label_folders) return write_text("folder");
  if (!data.labels.findings.empty()) return write_texts(data.labels.findings);
  return data.labels.label.empty() ? Node{} : write_text(data.labels.label);
}

struct IdsName {
  std::string_view name;
  imaging::Ids ids;
};
constexpr IdsName kIds[] = {{"path", imaging::Ids::path}, {"hash", imaging::Ids::hash}};

void read_ids(const Cursor& c, DataConfig& data) {
  data.ids = c.placed([&] { return parse_ids(c.text()); });
}
Node write_ids(const DataConfig& data) {
  for (const IdsName& known : kIds)
    if (known.ids == data.ids) return write_text(known.name);
  return {};
}

/// The project's folder: the YAML's, unless that has no key and the working directory has one. An experiment that is
/// repeated from a run folder is the same project's, and no key may come to lie there.
fs::path project_of(const fs::path& base) {
  const fs::path clean = fs::absolute(fs::path(".") / base / "").lexically_normal().parent_path();
  if (clean.filename() == kKeptRuns && clean.parent_path().filename() == kProjectFolder)
    return clean.parent_path().parent_path();
  const auto has_key = [](const fs::path& folder) { return fs::exists(folder / kProjectFolder / "key"); };
  return has_key(base) || !has_key(".") ? base : fs::path();
}

constexpr Field<DataConfig> kData[] = {
    {"path",
     [](const Cursor& c, DataConfig& d) {
       d.path = c.input_path();
       d.key_folder = project_of(c.context().base);
     },
     [](const DataConfig& d) { return write_text(d.path.string()); }, true},
    {"limit", read_limit,
     [](const DataConfig& d) { return d.limit.per_class || d.limit.images ? write_map(kLimit, d.limit) : Node{}; }},
    {"reader", [](const Cursor& c, DataConfig& d) { d.reader = c.placed([&] { return parse_reader(c.text()); }); },
     [](const DataConfig& d) { return write_text(name_of(d.reader)); }},
    {"layout", read_layout, [](const DataConfig& d) { return d.layout.empty() ? Node{} : write_text(d.layout); }},
    {"labels", [](const Cursor& c, DataConfig& d) { d.labels.file = c.input_path(); },
     [](const DataConfig& d) { return d.labels.file.empty() ? Node{} : write_text(d.labels.file.string()); }},
    {"key", [](const Cursor& c, DataConfig& d) { d.labels.key = c.texts(); },
     [](const DataConfig& d) { return write_texts(d.labels.key); }},
    {"label", read_label, write_label},
    {"patient", [](const Cursor& c, DataConfig& d) { d.labels.patient = c.text(); },
     [](const DataConfig& d) { return d.labels.patient.empty() ? Node{} : write_text(d.labels.patient); }},
    {"ids", read_ids, write_ids},
    {"shift", read_shift, write_shift},
    {"domain", read_domain, [](const DataConfig& d) { return d.domain ? write_map(kDomain, *d.domain) : Node{}; }},
    {"where", read_where, write_where},
    {"frames", read_frames, write_frames},
};

constexpr Field<Config> kDataSets[] = {
    {"source", [](const Cursor& c, Config& config) { read_map(c, kData, config.source.emplace()); },
     [](const Config& config) { return config.source ? write_map(kData, *config.source) : Node{}; }},
    {"target", [](const Cursor& c, Config& config) { read_map(c, kData, config.target); },
     [](const Config& config) { return write_map(kData, config.target); }, true},
    {"classes",
     [](const Cursor& c, Config& config) {
       if (c.node().kind == Node::Kind::scalar) {
         config.classes = c.placed([&] { return read_classes(c.input_path()); });
         return;
       }
       config.classes = c.texts();
       std::vector<std::string> sorted = config.classes;
       std::ranges::sort(sorted);
       if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end())
         c.fail(fmt::format("{} names '{}' twice; expected each class once", c.path(), printable(*twice)));
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
        fmt::format("{}.kind = streaming keeps one set of statistics, and data.target.domain makes several; expected "
                    "one of them",
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
     [](const EvaluateConfig& e) {
       return write_text(e.interval == metrics::IntervalKind::bca ? "bca" : "bootstrap");
     }},
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
    {"preprocess", [](const Cursor& c, Config& config) { read_pipeline(c, config.preprocess.emplace()); },
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
    if (!data->labels.file.empty()) data->labels.file = rewritten(data->labels.file);
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
  if (config.evaluate.metrics.empty())
    config.evaluate.metrics = default_metrics(!config.target.labels.findings.empty());
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

Config read_config(const fs::path& path, const ConfigOptions& options) {
  const ConfigFile file = read_config_file(path, options);
  return parse_config(file.text, file.name, file.options);
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
    if (!data->labels.file.empty()) data->labels.file = kKeptBack;
    for (auto& [attribute, values] : data->where)
      if (!imaging::names_nobody(attribute)) values = {std::string(kKeptBack)};
    imaging::TagLabel& label = data->dicom.label;
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

imaging::Reader parse_reader(std::string_view name) {
  std::vector<std::string> names;
  for (const ReaderName& known : kReaders) {
    if (known.name == name) return known.reader;
    names.emplace_back(known.name);
  }
  const std::string near = nearest(name, names);
  throw ConfigError(fmt::format("no reader '{}'; {}", printable(name),
                                near.empty() ? "expected one of " + join(names) : "nearest is '" + near + "'"));
}

imaging::Ids parse_ids(std::string_view name) {
  for (const IdsName& known : kIds)
    if (known.name == name) return known.ids;
  throw ConfigError(fmt::format("'{}'; expected path or hash", printable(name)));
}

std::string_view name_of(imaging::Reader reader) {
  for (const ReaderName& known : kReaders)
    if (known.reader == reader) return known.name;
  return "auto";
}

std::vector<std::string> read_classes(const fs::path& path) {
  const std::vector<std::byte> bytes = read_file(path, kMaxConfigBytes);
  std::vector<std::string> names;
  std::string_view rest = as_text(bytes);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (!line.empty()) names.emplace_back(line);
  }
  if (names.empty())
    throw FormatError(fmt::format("{}: no class names; expected one per line", path.filename().string()));
  return names;
}

}  // namespace shiftnorm::experiment
