#include "shiftnorm/config/config.hpp"

#include "config_file.hpp"
#include "schema.hpp"
#include "shiftnorm/container/csv.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/metrics/metrics.hpp"

namespace shiftnorm::config {
namespace {

namespace fs = std::filesystem;
using yaml::Node;

/// The whole configuration as YAML, each input path as `rewritten` gives it.
template <class Rewritten>
std::string with_paths(Config config, Rewritten rewritten) {
  config.model.checkpoint = rewritten(config.model.checkpoint);
  if (!config.model.graph.empty()) config.model.graph = rewritten(config.model.graph);
  if (!config.model.reference.empty()) config.model.reference = rewritten(config.model.reference);
  for (DataConfig* data : data_sets(config)) {
    data->path = rewritten(data->path);
    if (!data->dataset.labels.file.empty()) data->dataset.labels.file = rewritten(data->dataset.labels.file);
  }
  return yaml::emit(write_experiment(config));
}

fs::path seen_from(const fs::path& path, const fs::path& folder) {
  return path.is_absolute() ? path : fs::relative(fs::absolute(path), fs::absolute(folder));
}

}  // namespace

Config config_of(const Node& root, const std::string& file_name, const ConfigOptions& options) {
  ReadContext context{options.root, 0};
  Config config;
  config.name = fs::path(file_name).stem().string();
  read_experiment(Cursor(root, "", context), config);
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
  for (DataConfig* data : data_sets(masked)) {
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

std::vector<DataConfig*> data_sets(Config& config) {
  std::vector<DataConfig*> sets{&config.target};
  if (config.source) sets.push_back(&*config.source);
  return sets;
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
