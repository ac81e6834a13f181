#include "kept_config.hpp"

#include <fmt/format.h>

#include "run_session.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/toolkit/run_key.hpp"
#include "shiftnorm/toolkit/session_cache.hpp"

namespace shiftnorm::toolkit {
namespace {

constexpr std::size_t kShortId = 16;  // of 64 digits

bool keeps_back(const imaging::Dataset& data, imaging::Ids ids) {
  return ids == imaging::Ids::hash || imaging::tells_patients(data);
}

bool source_keeps_back(const config::Config& config, const RunOptions& options) {
  if (!config.source) return false;
  const config::DataConfig& source = *config.source;
  const std::unique_ptr<imaging::Dataset> data = options.cache->dataset(
      source_key(config), [&] { return imaging::open_dataset(source.path.string(), source.dataset); });
  return keeps_back(*data, source.dataset.ids);
}

}  // namespace

void describe_config(const config::Config& config, const RunOptions& options, const Session& session,
                     RunOutcome& outcome) {
  results::RunResults& results = outcome.results;
  if (!keeps_back(*session.dataset, config.target.dataset.ids) && !source_keeps_back(config, options)) {
    results.config_yaml = config::shareable_yaml(config);
    results.settings = config::settings_of(results.config_yaml);
    outcome.config_yaml = config::resolved_yaml(config, options.folder);
    return;
  }
  const std::filesystem::path folder = config.target.dataset.key_folder / config::kProjectFolder / config::kKeptRuns;
  const std::string whole = config::resolved_yaml(config, folder);
  const std::string name = (results.id.empty() ? sha256_hex(whole) : results.id).substr(0, kShortId) + ".yaml";
  outcome.kept_config.emplace(folder / name, whole);
  results.config_yaml = config::anonymous_yaml(config);
  results.settings = config::settings_of(results.config_yaml);
  outcome.config_yaml = fmt::format(
      "# Patients are identified: whatever may name one is withheld. The complete configuration, which can be run "
      "again,\n"
      "# is {}/{}/{} in the project's folder.\n{}",
      config::kProjectFolder, config::kKeptRuns, name, results.config_yaml);
}

}  // namespace shiftnorm::toolkit
