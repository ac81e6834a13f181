#include "kept_config.hpp"

#include <fmt/format.h>

#include "run_session.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/experiment/run_key.hpp"
#include "shiftnorm/experiment/shelf.hpp"

namespace shiftnorm::experiment {
namespace {

constexpr std::size_t kShortId = 16;  // of 64 digits

bool keeps_back(const imaging::Dataset& data, imaging::Ids ids) {
  return ids == imaging::Ids::hash || imaging::tells_patients(data);
}

bool source_keeps_back(const Config& config, const RunOptions& options) {
  if (!config.source) return false;
  const SourceSample source = *session_options(config, options).source;
  const auto open = [&] { return imaging::open_dataset(source.where, source.dataset); };
  const std::unique_ptr<imaging::Dataset> data =
      options.shelf == nullptr ? open() : options.shelf->dataset(source_key(config), open);
  return keeps_back(*data, source.dataset.ids);
}

}  // namespace

void describe_config(const Config& config, const RunOptions& options, const Session& session, RunOutcome& outcome) {
  RunResults& results = outcome.results;
  if (!keeps_back(*session.dataset, config.target.ids) && !source_keeps_back(config, options)) {
    results.config_yaml = shareable_yaml(config);
    outcome.config_yaml = resolved_yaml(config, options.folder);
    return;
  }
  const std::filesystem::path folder = config.target.key_folder / kProjectFolder / kKeptRuns;
  const std::string whole = resolved_yaml(config, folder);
  const std::string name = (results.id.empty() ? sha256_hex(whole) : results.id).substr(0, kShortId) + ".yaml";
  outcome.kept_config.emplace(folder / name, whole);
  results.config_yaml = anonymous_yaml(config);
  outcome.config_yaml = fmt::format(
      "# The data tell patients: what may name one is kept back. The whole configuration, which runs again, is\n"
      "# {}/{}/{} in the project's folder.\n{}",
      kProjectFolder, kKeptRuns, name, results.config_yaml);
}

}  // namespace shiftnorm::experiment
