#include "dry_run.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;
using container::Json;
using toolkit::DataPlan, toolkit::ModePlan, toolkit::RunPlan;

constexpr std::size_t kMostClasses = 12;

bool is_there(const fs::path& path) {
  // WHERE may end in #key, and then names a file before it.
  const std::string text = path.string();
  return fs::exists(path) || fs::exists(text.substr(0, text.rfind('#')));
}

Json data_json(const DataPlan& data) {
  Json classes = Json::array();
  for (const auto& [name, count] : data.classes) classes.push(Json::object({{"name", name}, {"images", count}}));
  return Json::object({{"images", data.images},
                       {"skipped", data.skipped},
                       {"labelled", data.labelled},
                       {"patients", data.patients ? Json(*data.patients) : Json()},
                       {"classes", std::move(classes)}});
}

Json cost_json(const adapt::Cost& cost) {
  const auto number = [](std::uint64_t bytes) { return static_cast<std::int64_t>(bytes); };
  return Json::object({{"carried_bytes", number(cost.carried_bytes)},
                       {"moved_bytes", number(cost.moved_bytes)},
                       {"working_bytes", number(cost.local_bytes)},
                       {"scratch_bytes", cost.spills ? number(cost.carried_bytes) : 0}});
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

/// Relative to the run folder unless absolute.
std::vector<std::string> files_of(const config::Config& config) {
  std::vector<std::string> files{"config.yaml", "results.json",   "predictions.csv", "report.html",
                                 "figures/",    "quarantine.csv", "run.log"};
  const bool measured =
      std::ranges::any_of(config.modes, [](const adapt::Mode& mode) { return adapt::measures(mode.policy); });
  if (measured) files.emplace_back("stats/");
  if (config.target.domain) files.emplace_back("domains.json");
  if (config.exported) files.push_back(config.exported->path.string());
  return files;
}

/// What may name a patient stays with the project's key.
bool keeps_config(const RunPlan& plan) {
  return plan.target.tells_patients || (plan.source && plan.source->tells_patients);
}

Json plan_json(const config::Config& config, const RunPlan& plan, const fs::path& folder) {
  Json modes = Json::array(), files = Json::array();
  for (const ModePlan& mode : plan.modes)
    modes.push(Json::object(
        {{"name", mode.mode.name},
         {"policy", adapt::name_of(mode.mode.policy)},
         {"measured_images", mode.measured},
         {"evaluated_images", mode.evaluated},
         {"taken_over",
          Json::object({{"adapt", text_or_null(mode.reused.adapt)}, {"evaluate", text_or_null(mode.reused.evaluate)}})},
         {"memory", cost_json(mode.cost)},
         {"seconds", Json::object({{"adapt", mode.adapt_seconds}, {"evaluate", mode.evaluate_seconds}})}}));
  for (const std::string& file : files_of(config)) files.push(file);
  Json data = Json::object({{"target", data_json(plan.target)}});
  if (plan.source) data.set("source", data_json(*plan.source));
  return Json::object({{"model", Json::object({{"file", plan.model_file},
                                               {"architecture", text_or_null(plan.architecture)},
                                               {"parameters", plan.parameters},
                                               {"batchnorms", plan.batchnorms},
                                               {"levels", plan.levels},
                                               {"assumptions", container::texts_json(plan.assumptions)}})},
                       {"data", std::move(data)},
                       {"protocol", config::name_of(config.protocol.kind)},
                       {"adapt_images", plan.adapt_images},
                       {"evaluate_images", plan.evaluate_images},
                       {"modes", std::move(modes)},
                       {"seconds", Json::object({{"load", plan.load_seconds}, {"network", plan.network_seconds()}})},
                       {"probe_images", plan.probe_images},
                       {"folder", folder.string()},
                       {"files", std::move(files)},
                       {"keeps_config", keeps_config(plan)}});
}

std::string data_text(const DataPlan& data) {
  std::string text = fmt::format("{} images, {} labelled, {} skipped", data.images, data.labelled, data.skipped);
  text += data.patients ? fmt::format(", of {} patients", *data.patients) : ", patients not identified";
  if (data.classes.empty()) return text;
  std::vector<std::string> classes;
  for (const auto& [name, count] : data.classes) classes.push_back(fmt::format("{} {}", printable(name), count));
  return fmt::format("{}; {} classes: {}", text, classes.size(), join(classes, kMostClasses));
}

std::string mode_text(const ModePlan& mode) {
  std::string text;
  const auto add = [&](const std::string& part) { text += fmt::format("{}{}", text.empty() ? "" : "; ", part); };
  if (mode.measured > 0)
    add(fmt::format("measures {} images ({}, {})", mode.measured, adapt::name_of(mode.mode.semantics),
                    adapt::name_of(mode.mode.estimator)));
  if (!mode.reused.adapt.empty()) add(fmt::format("reuses the statistics measured for '{}'", mode.reused.adapt));
  if (mode.evaluated > 0)
    add(fmt::format("evaluates {}", mode.evaluated));
  else if (!mode.reused.evaluate.empty())
    add(fmt::format("reuses the outputs computed for '{}'", mode.reused.evaluate));
  else
    add("the outputs come from the measurement");
  const double seconds = mode.adapt_seconds + mode.evaluate_seconds;
  return seconds > 0 ? fmt::format("{}; {}", text, toolkit::in_time(seconds)) : text;
}

std::string memory_text(const adapt::Cost& cost) {
  const std::string working = toolkit::in_bytes(cost.local_bytes);
  if (cost.carried_bytes == 0) return fmt::format("{} of working memory, no scratch file", working);
  const std::string held = toolkit::in_bytes(cost.carried_bytes);
  if (!cost.spills)
    return fmt::format("{} between the layers and {} of working memory, no scratch file", held, working);
  return fmt::format(
      "{} of working memory; {} between the layers in a scratch file in the temporary folder, {} written "
      "and read (fewer images, or a larger --memory, need less)",
      working, held, toolkit::in_bytes(cost.moved_bytes));
}

std::string plan_text(const config::Config& config, const RunPlan& plan, const fs::path& folder) {
  const std::string held = config.protocol.kind == config::ProtocolKind::held_out ? "about " : "";
  std::string text = "# What the run would do:\n";
  const auto line = [&](std::string_view name, const std::string& what) {
    text += fmt::format("# {:<10}{}\n", name, what);
  };
  line("network", fmt::format("{}{}{}: {} parameters, {} BatchNorms on {} levels", plan.model_file,
                              plan.architecture.empty() ? "" : ", ", plan.architecture, plan.parameters,
                              plan.batchnorms, plan.levels));
  line("target", data_text(plan.target));
  if (plan.source) line("source", data_text(*plan.source));
  line("protocol", fmt::format("{}: {}{} images measured, {} scored", config::name_of(config.protocol.kind), held,
                               plan.adapt_images, plan.evaluate_images));
  for (const ModePlan& mode : plan.modes)
    line("mode", fmt::format("{}: {}", printable(mode.mode.name), mode_text(mode)));
  line("memory", memory_text(plan.largest()));
  line("time",
       fmt::format("about {}: {} to load and {} in the network, from a probe of {} images; plus scores and report",
                   toolkit::in_time(plan.load_seconds + plan.network_seconds()), toolkit::in_time(plan.load_seconds),
                   toolkit::in_time(plan.network_seconds()), plan.probe_images));
  line("writes", fmt::format("{}: {}", folder.string(), join(files_of(config), 100)));
  if (keeps_config(plan))
    line("", fmt::format("{}/{}/: the complete configuration, in the project's folder, readable only by its owner",
                         config::kProjectFolder, config::kKeptRuns));
  return text;
}

}  // namespace

StandInKeys::~StandInKeys() {
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

void StandInKeys::stand_in(config::Config& config) {
  for (config::DataConfig* data : {&config.target, config.source ? &*config.source : nullptr}) {
    if (data == nullptr || fs::exists(data->dataset.key_folder / config::kProjectFolder / "key")) continue;
    if (folder_.empty()) {
      std::string name = (fs::temp_directory_path() / "shiftnorm-XXXXXX").string();
      if (::mkdtemp(name.data()) == nullptr)
        throw MachineError("the temporary folder cannot be written to; expected space for a key");
      folder_ = name;
    }
    data->dataset.key_folder = folder_;
  }
}

std::optional<RunPlan> plan_of(const config::Config& config, const toolkit::RunOptions& job, Console& console) {
  if (!is_there(config.model.checkpoint) || !is_there(config.target.path)) return std::nullopt;
  RunPlan plan = toolkit::plan_run(config, job, console.progress());
  for (const std::string& assumed : plan.assumptions) console.info(assumed);
  for (const DataPlan* data : {&plan.target, plan.source ? &*plan.source : nullptr})
    for (const std::string& note : data != nullptr ? data->notes : std::vector<std::string>{}) console.info(note);
  return plan;
}

ExitCode dry_run(const config::Config& config, const RunPlace& place, toolkit::RunOptions job, Console& console) {
  for (const fs::path& path : {config.model.checkpoint, config.target.path})
    if (!is_there(path)) console.warn(fmt::format("{}: does not exist yet", path.filename().string()));
  const std::string yaml = config::resolved_yaml(config, place.folder);
  const std::optional<RunPlan> plan = plan_of(config, job, console);
  if (console.json()) {
    Json document = Json::object({{"schema", 1}, {"name", config.name}, {"config", yaml}});
    document.set("plan", plan ? plan_json(config, *plan, place.folder) : Json());
    console.print(document);
  } else {
    console.say(yaml);
    if (plan) console.say(plan_text(config, *plan, place.folder));
  }
  return ExitCode::done;
}

}  // namespace shiftnorm::app
