#include <algorithm>

#include "config_file.hpp"
#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/metrics/metrics.hpp"
#include "shiftnorm/zoo/zoo.hpp"
#include "values.hpp"

namespace shiftnorm::config {
namespace {

namespace fs = std::filesystem;
using yaml::Node;

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const zoo::Architecture& architecture : zoo::architectures()) names.emplace_back(architecture.name);
  return names;
}

void read_architecture(const Cursor& c, ModelConfig& model) {
  model.architecture = c.placed([&] { return zoo::architecture(c.text()).name; });
}

constexpr Field<ModelConfig> kModel[] = {
    {"checkpoint", kInputAt<&ModelConfig::checkpoint>, "the network's file", true},
    {"architecture",
     {read_architecture, kTextAt<&ModelConfig::architecture>.write, [] { return words_schema(architecture_names()); }},
     "for files that hold weights only"},
    {"outputs", kWordAt<kOutputKinds, &ModelConfig::outputs>,
     "what the outputs are before any activation; absent: told from the network"},
    {"graph", kInputAt<&ModelConfig::graph>, "a file that describes the architecture instead: ONNX, or Keras' JSON"},
    {"weights", kTextAt<&ModelConfig::weights>, "which of several sets of weights in the file"},
    {"allow_unused", kTextsAt<&ModelConfig::allow_unused>, "patterns of tensors that no layer has to use"},
    {"reference", kInputAt<&ModelConfig::reference>,
     "class-wise moments of training images (.bnref), for policy matched; absent: made from data.source"},
};

void read_class_names(const Cursor& c, Config& config) {
  if (c.node().kind == Node::Kind::scalar) {
    config.classes = c.placed([&] { return read_classes(c.input_path()); });
    return;
  }
  config.classes = c.texts();
  c.placed([&] { imaging::check_classes(config.classes); });
}

constexpr Field<Config> kDataSets[] = {
    {"source",
     {[](const Cursor& c, Config& config) { read_data(c, config.source.emplace()); },
      [](const Config& config) { return config.source ? write_data(*config.source) : Node{}; },
      [] { return reference("data"); }},
     {}},
    {"target",
     {[](const Cursor& c, Config& config) { read_data(c, config.target); },
      [](const Config& config) { return write_data(config.target); }, [] { return reference("data"); }},
     {},
     true},
    {"classes",
     {read_class_names, kTextsAt<&Config::classes>.write, texts_schema},
     "in the order of the network's outputs: a list, or a file with one name a line"},
};

constexpr Range kPartOf{0, 1, true};

template <ProtocolKind kind>
bool is(const ProtocolConfig& protocol) {
  return protocol.kind == kind;
}

constexpr Field<ProtocolConfig> kProtocol[] = {
    {"kind", kWordAt<kProtocolKinds, &ProtocolConfig::kind>, "which images are measured, and which scored", true},
    {"adapt", kOnlyIf<is<ProtocolKind::held_out>, kNumberAt<kPartOf, &ProtocolConfig::adapt>>,
     "held_out: the share of the images that is adapted to"},
    {"by", kTextAt<&ProtocolConfig::by>, "held_out: patient, image or a column; images of one group stay together"},
    {"batch", kOnlyIf<is<ProtocolKind::streaming>, kWholeAt<kBatchSize, &ProtocolConfig::batch>>,
     "streaming: images that arrive together"},
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

constexpr Whole kResamples{100, 1'000'000};
constexpr Range kLevel{0.5, 0.9999};

constexpr Field<EvaluateConfig> kInterval[] = {
    {"method", kWordAt<metrics::kIntervalKinds, &EvaluateConfig::interval>, "how resamples become an interval"},
    {"resamples", kWholeAt<kResamples, &EvaluateConfig::resamples>, "how many are drawn"},
    {"level", kNumberAt<kLevel, &EvaluateConfig::level>, "of confidence"},
    {"by", kTextAt<&EvaluateConfig::by>, "patient, image or a column: what is resampled"},
};

void read_metrics(const Cursor& c, EvaluateConfig& e) {
  e.metrics.clear();
  for (const Cursor& one : c.list()) {
    const std::string name = one.text();
    one.placed([&] { return metrics::metric(name).name; });
    if (std::ranges::find(e.metrics, name) != e.metrics.end())
      one.fail(fmt::format("{} repeats {}; expected it once", one.path(), name));
    e.metrics.push_back(name);
  }
}

Json metrics_schema() {
  std::vector<std::string> names;
  for (const metrics::MetricSpec& metric : metrics::metric_table()) names.emplace_back(metric.name);
  return list_schema(words_schema(names)).set("uniqueItems", true);
}

constexpr Field<EvaluateConfig> kEvaluate[] = {
    {"metrics", {read_metrics, kTextsAt<&EvaluateConfig::metrics>.write, metrics_schema}, "default: by the data"},
    {"subgroups", kTextsAt<&EvaluateConfig::subgroups>, "columns or attributes whose values are scored apart"},
    {"interval",
     {[](const Cursor& c, EvaluateConfig& e) { read_map(c, kInterval, e); },
      [](const EvaluateConfig& e) { return write_map(kInterval, e); }, [] { return map_schema(kInterval); }},
     {}},
    {"label_free", kTruthAt<&EvaluateConfig::label_free>, "recommend a mode from the outputs alone"},
};

constexpr Field<ExportConfig> kExport[] = {
    {"mode", kTextAt<&ExportConfig::mode>, "the name of one of the modes", true},
    {"path", kTextAt<&ExportConfig::path>, "of the adapted file; relative to the run folder", true},
    {"allow_small_cohort", kFlagAt<&ExportConfig::small_cohort>,
     "export from fewer than 11 patients; the provenance says so"},
    {"to_inference", kFlagAt<&ExportConfig::to_inference>,
     "ONNX in training mode: set it to inference mode too, where it would be refused"},
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

Node write_preprocess(const Config& config) {
  if (!config.preprocess) return {};
  return config.preprocess->name == "custom" ? write_pipeline(*config.preprocess) : write_text(config.preprocess->name);
}

Json preprocess_schema() {
  return one_of(
      {words_schema(imaging::preset_names()), pipeline_schema(),
       Json::object(
           {{"type", "string"}, {"pattern", "(\\.ya?ml$|/)"}, {"description", "a YAML file with the list of steps"}})});
}

constexpr std::size_t kLongestName = 100;

void read_name(const Cursor& c, Config& config) {
  config.name = c.text();
  const bool plain = config.name != "." && config.name != ".." && config.name.size() <= kLongestName &&
                     config.name.find('/') == std::string::npos && printable(config.name) == config.name;
  if (!plain) c.wrong(fmt::format("a name for the run folder: at most {} characters, no '/'", kLongestName));
}

Json name_schema() {
  return scalar_schema().set("maxLength", static_cast<std::int64_t>(kLongestName)).set("pattern", "^[^/]*$");
}

Json sweep_schema() { return dictionary_schema(Json::object({{"type", "array"}, {"minItems", 1}})); }

// Fields are read in this order: the seed before what shuffles by it, the modes before the export that names one.
constexpr Field<Config> kConfig[] = {
    {"name", {read_name, kTextAt<&Config::name>.write, name_schema}, "results go to runs/<name> unless --out"},
    {"seed",
     {[](const Cursor& c, Config& config) { config.seed = c.context().seed = c.seed(); },
      [](const Config& c) { return write_seed(c.seed); }, [] { return whole_schema(kSeed); },
      [] { return json_of(write_seed(Config{}.seed)); }},
     "of everything that is drawn"},
    {"model", kMapAt<kModel, &Config::model>, {}, true},
    {"preprocess", {read_preprocess, write_preprocess, preprocess_schema}, {}},
    {"data",
     {[](const Cursor& c, Config& config) { read_map(c, kDataSets, config); },
      [](const Config& c) { return write_map(kDataSets, c); }, [] { return map_schema(kDataSets); }},
     {},
     true},
    {"protocol",
     {read_protocol, kMapAt<kProtocol, &Config::protocol>.write, kMapAt<kProtocol, &Config::protocol>.schema},
     {}},
    {"modes",
     {[](const Cursor& c, Config& config) { read_modes(c, config.modes); },
      [](const Config& c) { return write_modes(c.modes); }, [] { return list_schema(reference("mode")); }},
     {},
     true},
    {"sweep",
     {[](const Cursor& c, Config&) { c.fail(fmt::format("{} makes several runs; expected one run here", c.path())); },
      [](const Config&) { return Node{}; }, sweep_schema},
     "key paths with lists of values; the runs are their product"},
    {"evaluate", kMapAt<kEvaluate, &Config::evaluate>, {}},
    {"export",
     {read_export, [](const Config& c) { return c.exported ? write_map(kExport, *c.exported) : Node{}; },
      [] { return map_schema(kExport); }},
     {}},
};

}  // namespace

void read_experiment(const Cursor& cursor, Config& config) { read_map(cursor, kConfig, config); }
Node write_experiment(const Config& config) { return write_map(kConfig, config); }

std::string schema_json() {
  Json root = Json::object({{"$schema", "http://json-schema.org/draft-07/schema#"},
                            {"title", "An experiment of shiftnorm"},
                            {"description", "For editors; the program checks more. docs/guide.md explains."}});
  const Json config = map_schema(kConfig);
  for (const auto& [key, value] : config.as_object())
    if (key != "required") root.set(key, value);
  // A sweep may bring what is missing.
  root.set("anyOf", Json::array({Json::object({{"required", config.at("required")}}), required_keys({"sweep"})}));
  root.set("$defs", Json::object({{"data", data_schema()}, {"mode", mode_schema()}}));
  return container::write_json(root, 1) + "\n";
}

}  // namespace shiftnorm::config
