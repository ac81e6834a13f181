#include "shiftnorm/toolkit/inspect_checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "inspect.hpp"
#include "inspect_plan.hpp"
#include "network_options.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/report/console_tables.hpp"
#include "shiftnorm/results/job_json.hpp"
#include "shiftnorm/toolkit/statistics.hpp"

namespace shiftnorm::app {
namespace {

using container::Json;
using toolkit::FileLayer;

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

std::string text_of(const formats::Checkpoint& checkpoint, std::int64_t parameters,
                    const std::vector<FileLayer>& rows) {
  const auto folded = static_cast<std::size_t>(std::ranges::count_if(rows, &FileLayer::folded));
  std::string text =
      fmt::format("{}: {}, {} tensors, {} parameters, {} BatchNorms{}\nsha256 {}\n", printable(checkpoint.file_name),
                  checkpoint.format, checkpoint.tensors.size(), parameters, rows.size() - folded,
                  folded > 0 ? fmt::format(", {} folded away", folded) : std::string(), checkpoint.sha256);
  std::size_t width = 4;
  for (const FileLayer& row : rows) width = std::max(width, printable(row.name).size());
  if (rows.empty()) return text + "nothing to recalibrate: no running statistics\n";
  const bool modes = std::ranges::any_of(rows, &FileLayer::training);
  text += fmt::format("{:<{}}  channels  level  epsilon   momentum  affine  statistics{}\n", "name", width,
                      modes ? "  mode" : "");
  for (const FileLayer& row : rows)
    text += fmt::format(
        "{:<{}}  {:>8}  {:>5}  {:<8}  {:<8}  {:<6}  {}\n", printable(row.name), width, row.channels,
        row.level ? fmt::format("{}", *row.level) : "-", row.epsilon ? fmt::format("{:g}", *row.epsilon) : "-",
        row.momentum ? fmt::format("{:g}", *row.momentum) : "-", row.affine ? "yes" : "no",
        modes ? fmt::format("{:<10}  {}", row.statistics_text(), row.training ? "training" : "inference")
              : row.statistics_text());
  if (modes)
    text += "training: the file's runtime normalises by each batch's own statistics and ignores those in the file\n";
  if (std::ranges::any_of(rows, &FileLayer::folded))
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
  const std::vector<FileLayer> rows = model ? toolkit::file_layers(*model) : toolkit::file_layers(checkpoint);
  std::optional<std::vector<stats::LayerDistance>> drift;
  if (file) drift = from_option("stats", [&] { return toolkit::drift_to(*model, *file); });
  if (options.has("sample") && !options.has("plan"))
    throw ConfigError("--sample: changes nothing here; expected --plan with it");
  std::optional<std::vector<exec::PlanStep>> plan;
  if (options.has("plan")) plan = plan_of(model, options);
  const std::int64_t parameters = model ? model->parameters : toolkit::count_parameters(checkpoint);
  const std::vector<std::string> assumptions = model ? model->assumed() : checkpoint.assumptions;
  const Json provenance = toolkit::provenance_beside(options.positional(), checkpoint, console.messages());
  if (console.json()) {
    Json document = toolkit::checkpoint_json(checkpoint, parameters, rows);
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
