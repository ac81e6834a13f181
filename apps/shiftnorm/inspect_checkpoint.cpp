#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "inspect.hpp"
#include "inspect_plan.hpp"
#include "job_options.hpp"
#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/graph/marks.hpp"
#include "shiftnorm/report/console_tables.hpp"
#include "shiftnorm/results/job_json.hpp"
#include "shiftnorm/stats/distance.hpp"
#include "shiftnorm/toolkit/export.hpp"
#include "shiftnorm/toolkit/restore.hpp"
#include "shiftnorm/toolkit/statistics.hpp"

namespace shiftnorm::app {
namespace {

using container::Json;

/// A BatchNorm as far as the file tells; level, epsilon and momentum come from an architecture.
struct Row {
  std::string name;
  std::int64_t channels = 0;
  std::optional<std::int64_t> level;
  std::optional<double> epsilon, momentum;
  bool affine = false, statistics = true, folded = false;
  bool training = false;  ///< the file's runtime ignores its statistics
};

std::string statistics_of(const Row& row) {
  if (row.folded) return "folded";
  return row.statistics ? "present" : "absent";
}

std::vector<Row> rows_of_names(const formats::Checkpoint& checkpoint) {
  constexpr std::string_view kMean = "running_mean";
  std::vector<Row> rows;
  for (const formats::NamedTensor& tensor : checkpoint.tensors) {
    if (!tensor.name.ends_with(kMean) || tensor.values.shape().rank() != 1) continue;
    const std::string stem = tensor.name.substr(0, tensor.name.size() - kMean.size());
    if (checkpoint.find(stem + "running_var") == nullptr) continue;
    Row row;
    row.name = stem.ends_with('.') ? stem.substr(0, stem.size() - 1) : stem;
    row.channels = tensor.values.shape()[0];
    row.affine = checkpoint.find(stem + "weight") != nullptr;
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<Row> rows_of_model(toolkit::RestoredModel model) {
  graph::unfold(model.graph, toolkit::folded_layers(model));
  std::vector<Row> rows;
  for (const graph::BatchNorm& layer : graph::batch_norms(model.graph)) {
    Row row{layer.name,   layer.channels,          layer.level, layer.epsilon, layer.momentum,
            layer.affine, model.source_statistics, layer.folded};
    if (layer.folded) row.epsilon = row.momentum = std::nullopt;
    row.training = graph::by_batch(model.graph, layer).has_value();
    rows.push_back(std::move(row));
  }
  return rows;
}

/// `--stats F`: from the checkpoint's own statistics to those that were measured.
std::vector<stats::LayerDistance> drift_of(const toolkit::RestoredModel& model, const stats::StatisticsFile& file) {
  if (!model.source_statistics)
    throw ConfigError(
        fmt::format("--stats: {} holds no statistics (track_running_stats=False); expected some to compare with",
                    model.checkpoint.file_name));
  adapt::Mode pure;
  const stats::Statistics target = from_option("stats", [&] { return toolkit::applied(model, file, pure); });
  return stats::distances(adapt::source_statistics(model.graph, graph::batch_norms(model.graph)), target);
}

constexpr std::uint64_t kMaxProvenanceBytes = 1 << 20;

/// What lies beside an adapted file; null where nothing does, or what does tells of another file.
Json provenance_of(const std::string& where, const formats::Checkpoint& checkpoint, Console& console) {
  const std::filesystem::path path = toolkit::provenance_path(where);
  if (!std::filesystem::is_regular_file(path)) return {};
  try {
    Json json = container::parse_json(as_text(read_file(path, kMaxProvenanceBytes)));
    const Json* adapted = json.find("adapted_sha256");
    if (adapted != nullptr && adapted->is_string() && adapted->as_string() == checkpoint.sha256) return json;
    console.warn(fmt::format("{}: belongs to another file than the one beside it", path.filename().string()));
  } catch (const Error& e) {
    console.warn(fmt::format("{}: {}", path.filename().string(), e.what()));
  }
  return {};
}

std::string provenance_text(const Json& json) {
  const auto word = [](const Json* at, std::string_view key) {
    const Json* found = at == nullptr ? nullptr : at->find(key);
    if (found == nullptr || found->is_null()) return std::string("unknown");
    return printable(found->is_string() ? found->as_string() : container::write_json(*found));
  };
  const Json* method = json.find("method");
  return fmt::format(
      "adapted by shiftnorm {}: {}, {}, {}, from {} images, {} patients; preprocess {}; source sha256 {}\n",
      word(&json, "version"), word(method, "policy"), word(method, "semantics"), word(method, "estimator"),
      word(&json, "images"), word(&json, "patients"), word(json.find("preprocessing"), "name"),
      word(&json, "source_sha256"));
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json json_of(const formats::Checkpoint& checkpoint, std::int64_t parameters, const std::vector<Row>& rows) {
  Json layers = Json::array();
  for (const Row& row : rows)
    layers.push(Json::object({{"name", printable(row.name)},
                              {"channels", row.channels},
                              {"level", or_null(row.level)},
                              {"epsilon", or_null(row.epsilon)},
                              {"momentum", or_null(row.momentum)},
                              {"affine", row.affine},
                              {"statistics", statistics_of(row)},
                              {"training", row.training}}));
  return Json::object({{"schema", 1},
                       {"format", checkpoint.format},
                       {"sha256", checkpoint.sha256},
                       {"tensors", static_cast<std::int64_t>(checkpoint.tensors.size())},
                       {"parameters", parameters},
                       {"batchnorms", std::move(layers)}});
}

Json weights_json(const formats::WeightSets& sets) {
  Json others = Json::array();
  for (const std::string& path : sets.others) others.push(printable(path));
  return Json::object({{"chosen", printable(sets.chosen)}, {"others", std::move(others)}});
}

Json opaque_json(const formats::Checkpoint& checkpoint) {
  Json rows = Json::array();
  for (const formats::OpaqueValues& one : checkpoint.opaque)
    rows.push(Json::object({{"name", printable(one.name)}, {"first", printable(one.first)}, {"count", one.count}}));
  return rows;
}

Json unread_json(const formats::Checkpoint& checkpoint) {
  Json rows = Json::array();
  for (const formats::Unread& one : checkpoint.unread)
    rows.push(Json::object({{"name", printable(one.name)}, {"why", one.why}}));
  return rows;
}

/// What the file holds that is carried over and not read.
std::string beside_text(const formats::Checkpoint& checkpoint) {
  std::string text;
  for (const formats::OpaqueValues& one : checkpoint.opaque)
    text += fmt::format("carried over, never built: {} ({}{})\n", printable(one.name),
                        one.first.empty() ? "the top" : printable(one.first),
                        one.count > 1 ? fmt::format(" and {} more", one.count - 1) : std::string());
  for (const formats::Unread& one : checkpoint.unread)
    text += fmt::format("not read: tensor '{}': {}\n", printable(one.name), one.why);
  return text;
}

std::string text_of(const formats::Checkpoint& checkpoint, std::int64_t parameters, const std::vector<Row>& rows) {
  const auto folded = static_cast<std::size_t>(std::ranges::count_if(rows, &Row::folded));
  std::string text =
      fmt::format("{}: {}, {} tensors, {} parameters, {} BatchNorms{}\nsha256 {}\n", printable(checkpoint.file_name),
                  checkpoint.format, checkpoint.tensors.size(), parameters, rows.size() - folded,
                  folded > 0 ? fmt::format(", {} folded away", folded) : std::string(), checkpoint.sha256);
  std::size_t width = 4;
  for (const Row& row : rows) width = std::max(width, printable(row.name).size());
  if (rows.empty()) return text + "nothing to recalibrate: no running statistics\n";
  const bool modes = std::ranges::any_of(rows, &Row::training);
  text += fmt::format("{:<{}}  channels  level  epsilon   momentum  affine  statistics{}\n", "name", width,
                      modes ? "  mode" : "");
  for (const Row& row : rows)
    text += fmt::format("{:<{}}  {:>8}  {:>5}  {:<8}  {:<8}  {:<6}  {}\n", printable(row.name), width, row.channels,
                        row.level ? fmt::format("{}", *row.level) : "-",
                        row.epsilon ? fmt::format("{:g}", *row.epsilon) : "-",
                        row.momentum ? fmt::format("{:g}", *row.momentum) : "-", row.affine ? "yes" : "no",
                        modes ? fmt::format("{:<10}  {}", statistics_of(row), row.training ? "training" : "inference")
                              : statistics_of(row));
  if (modes)
    text += "training: the file's runtime normalises by each batch's own statistics and ignores those in the file\n";
  if (std::ranges::any_of(rows, &Row::folded))
    text +=
        "folded: a convolution that seems to have a BatchNorm folded into its weight and bias; --source-data recovers "
        "it\n";
  if (!rows.front().statistics)
    text +=
        "no source statistics: the file was made with track_running_stats=False; nothing can be written back to it\n";
  if (!rows.front().level)
    text += "levels, epsilon and momentum come from an architecture: --arch NAME, or --graph MODEL.onnx\n";
  return text;
}

/// `--plan`, with the network resized to `--sample` where that is given.
std::vector<exec::PlanStep> plan_of(std::optional<toolkit::RestoredModel>& model, const Options& options) {
  if (!model) throw ConfigError("--plan: the file holds weights only; expected the network too, by --arch or --graph");
  if (options.has("sample")) toolkit::fit_input(*model, sample_shape(options.text("sample")));
  const std::vector<std::int64_t> sample = model->input().extents();
  if (std::ranges::find(sample, 0) != sample.end())
    throw ConfigError(fmt::format("--plan: the network takes {}, where 0 is any extent; expected --sample C,H,W",
                                  model->input().text()));
  toolkit::fit_input(*model, model->input());
  return exec::Plan(model->graph).steps();
}

}  // namespace

void inspect_checkpoint(const formats::Checkpoint& checkpoint, const Options& options, Console& console) {
  std::optional<stats::StatisticsFile> file;
  if (options.has("stats"))
    file = from_option("stats", [&] { return toolkit::read_statistics_file(options.text("stats")); });
  const toolkit::NetworkSource network = network_of(options, file ? file->architecture : "", file ? file->weights : "");
  const bool with_graph =
      !network.architecture.empty() || !network.graph.empty() || checkpoint.graph.has_value() || file;
  std::optional<toolkit::RestoredModel> model;
  if (with_graph) model = toolkit::restore(options.positional(), network);
  if (!model && !checkpoint.weights.empty())
    throw ConfigError(fmt::format(
        "--weights = {}: is a prefix of a network's tensor names; expected the network too, by --arch or --graph",
        printable(checkpoint.weights)));
  const std::vector<Row> rows = model ? rows_of_model(*model) : rows_of_names(checkpoint);
  std::optional<std::vector<stats::LayerDistance>> drift;
  if (file) drift = drift_of(*model, *file);
  if (options.has("sample") && !options.has("plan"))
    throw ConfigError("--sample: changes nothing here; expected --plan with it");
  std::optional<std::vector<exec::PlanStep>> plan;
  if (options.has("plan")) plan = plan_of(model, options);
  const std::int64_t parameters = model ? model->parameters : toolkit::count_parameters(checkpoint);
  const std::vector<std::string> assumptions = model ? model->assumed() : checkpoint.assumptions;
  const Json provenance = provenance_of(options.positional(), checkpoint, console);
  if (console.json()) {
    Json document = json_of(checkpoint, parameters, rows);
    document.set("weights", weights_json(checkpoint.sets));
    document.set("opaque", opaque_json(checkpoint));
    document.set("unread", unread_json(checkpoint));
    document.set("assumptions", container::texts_json(assumptions));
    document.set("provenance", provenance);
    if (plan) document.set("plan", plan_json(*plan));
    if (drift) document.set("drift", results::distances_json(*drift));
    console.print(document);
    return;
  }
  console.say(text_of(checkpoint, parameters, rows));
  console.say(beside_text(checkpoint));
  for (const std::string& one : assumptions) console.say(fmt::format("assumed: {}\n", one));
  if (!provenance.is_null()) console.say(provenance_text(provenance));
  if (drift) console.say("\nfrom these statistics to the measured ones:\n" + report::distance_table(*drift));
  if (plan) console.say(plan_text(*plan));
}

}  // namespace shiftnorm::app
