#include "shiftnorm/toolkit/plan.hpp"
#include "shiftnorm/toolkit/run_folder.hpp"

namespace shiftnorm::toolkit {
namespace {

namespace fs = std::filesystem;
using container::Json, container::text_or_null;

Json data_json(const DataPlan& data) {
  Json classes = Json::array();
  for (const auto& [name, count] : data.classes) classes.push(Json::object({{"name", name}, {"images", count}}));
  return Json::object({{"images", data.images},
                       {"skipped", data.skipped},
                       {"labelled", data.labelled},
                       {"patients", container::value_or_null(data.patients)},
                       {"classes", std::move(classes)}});
}

Json cost_json(const adapt::Cost& cost) {
  const auto number = [](std::uint64_t bytes) { return static_cast<std::int64_t>(bytes); };
  return Json::object({{"carried_bytes", number(cost.carried_bytes)},
                       {"moved_bytes", number(cost.moved_bytes)},
                       {"working_bytes", number(cost.local_bytes)},
                       {"scratch_bytes", cost.spills ? number(cost.carried_bytes) : 0}});
}

}  // namespace

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
  for (const std::string& file : files_of_run(config)) files.push(file);
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
                       {"keeps_config", plan.keeps_config()}});
}

}  // namespace shiftnorm::toolkit
