#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/results/results_json.hpp"
#include "shiftnorm/results/results_store.hpp"
#include "shiftnorm/results/run_record.hpp"
#include "shiftnorm/toolkit/run_folder.hpp"

namespace shiftnorm::toolkit {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostResults = std::uint64_t{256} << 20;

}  // namespace

std::optional<FinishedRun> RunFolder::finished(const std::string& id) const {
  const fs::path file = path_ / "results.json";
  if (!fs::is_regular_file(file)) return std::nullopt;
  try {
    FinishedRun found;
    const std::vector<std::byte> bytes = read_file(file, kMostResults);
    found.text = as_text(bytes);
    found.results = results::read_results(container::parse_json(found.text));
    if (found.results.id != id) return std::nullopt;
    return found;
  } catch (const FormatError&) {  // not a finished run's, then
    return std::nullopt;
  }
}

void record_run(const RunPlace& place, const results::RunResults& results, const fs::path& folder,
                const std::string& sweep) {
  if (place.store.empty()) return;
  results::RunRecord record = results::record_of(results);
  record.sweep = sweep;
  record.finished = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                                fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
  const fs::path beside = fs::absolute(place.store).lexically_normal().parent_path();
  const fs::path relative = fs::absolute(folder).lexically_normal().lexically_relative(beside);
  if (!relative.empty() && *relative.begin() != "..") record.folder = relative.generic_string();
  fs::create_directories(beside);
  results::ResultsStore(place.store, results::ResultsStore::Access::write).put(record);
}

}  // namespace shiftnorm::toolkit
