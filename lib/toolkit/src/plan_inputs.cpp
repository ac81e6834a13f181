#include <fmt/format.h>
#include <unistd.h>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/toolkit/plan.hpp"

namespace shiftnorm::toolkit {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  // WHERE may end in #key, and then names a file before it.
  const std::string text = path.string();
  return fs::exists(path) || fs::exists(text.substr(0, text.rfind('#')));
}

}  // namespace

std::vector<fs::path> missing_inputs(const config::Config& config) {
  std::vector<fs::path> missing;
  for (const fs::path& path : {config.model.checkpoint, config.target.path})
    if (!is_there(path)) missing.push_back(path);
  return missing;
}

std::optional<RunPlan> plan_if_there(const config::Config& config, const RunOptions& options, const Events& events) {
  if (!missing_inputs(config).empty()) return std::nullopt;
  RunPlan plan = plan_run(config, options, events.progress);
  for (const std::string& assumed : plan.assumptions) events.tell(assumed);
  for (const std::string& note : plan.target.notes) events.tell(note);
  if (plan.source)
    for (const std::string& note : plan.source->notes) events.tell(note);
  return plan;
}

StandInKeys::~StandInKeys() {
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

void StandInKeys::stand_in(config::Config& config) {
  for (config::DataConfig* data : config::data_sets(config)) {
    if (fs::exists(data->dataset.key_folder / config::kProjectFolder / "key")) continue;
    if (folder_.empty()) {
      std::string name = (fs::temp_directory_path() / "shiftnorm-XXXXXX").string();
      if (::mkdtemp(name.data()) == nullptr)
        throw MachineError("the temporary folder cannot be written to; expected space for a key");
      folder_ = name;
    }
    data->dataset.key_folder = folder_;
  }
}

}  // namespace shiftnorm::toolkit
