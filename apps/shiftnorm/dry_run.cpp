#include "dry_run.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <vector>

#include "shiftnorm/core/text.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;
using container::Json;
using toolkit::DataPlan, toolkit::ModePlan, toolkit::RunPlan;

constexpr std::size_t kMostClasses = 12;

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
  line("writes", fmt::format("{}: {}", folder.string(), join(toolkit::files_of_run(config), 100)));
  if (plan.keeps_config())
    line("", fmt::format("{}/{}/: the complete configuration, in the project's folder, readable only by its owner",
                         config::kProjectFolder, config::kKeptRuns));
  return text;
}

}  // namespace

ExitCode dry_run(const config::Config& config, const toolkit::RunPlace& place, const toolkit::RunOptions& job,
                 Console& console) {
  for (const fs::path& path : toolkit::missing_inputs(config))
    console.warn(fmt::format("{}: does not exist yet", path.filename().string()));
  const std::string yaml = config::resolved_yaml(config, place.folder);
  const std::optional<RunPlan> plan = toolkit::plan_if_there(config, job, console.messages());
  if (console.json()) {
    Json document = Json::object({{"schema", 1}, {"name", config.name}, {"config", yaml}});
    document.set("plan", plan ? toolkit::plan_json(config, *plan, place.folder) : Json());
    console.print(document);
  } else {
    console.say(yaml);
    if (plan) console.say(plan_text(config, *plan, place.folder));
  }
  return ExitCode::done;
}

}  // namespace shiftnorm::app
