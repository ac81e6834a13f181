#include <fmt/format.h>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/toolkit/statistics.hpp"

namespace shiftnorm::toolkit {

namespace fs = std::filesystem;

MergedStatistics merge_statistics(std::span<const fs::path> parts) {
  std::vector<stats::NamedStatistics> named;
  named.reserve(parts.size());
  for (const fs::path& path : parts) named.push_back({path.filename().string(), read_statistics_file(path)});
  MergedStatistics merged{stats::merged(named), {}};
  for (const stats::NamedStatistics& part : named)
    if (part.file.fingerprints.empty())
      merged.notes.push_back(fmt::format(
          "{}: has no fingerprint of its images; whether another part contains them too cannot be checked", part.name));
  return merged;
}

ComparedStatistics compare_statistics(const fs::path& from, const fs::path& to) {
  const stats::StatisticsFile a = read_statistics_file(from), b = read_statistics_file(to);
  ComparedStatistics compared;
  try {
    compared.layers = stats::distances(a.layers, b.layers);
  } catch (const Error&) {
    rethrow_at(to.filename().string());
  }
  if (a.model_sha256 != b.model_sha256)
    compared.notes.emplace_back("the two files were measured on different networks");
  if (a.preprocess_sha256 != b.preprocess_sha256)
    compared.notes.emplace_back("the two files were measured with different preprocessing");
  return compared;
}

}  // namespace shiftnorm::toolkit
