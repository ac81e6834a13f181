#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace shiftnorm::results {

/// One line of the index that a bank of files comes with, one for each domain.
struct DomainFile {
  std::string mode, domain, policy;
  std::int64_t images = 0;
  std::string statistics, adapted;  ///< names of files; empty: none
};
/// domains.json: {"schema": 1, "key": .., "files": [{"mode", "domain", "policy", "images", "statistics", "adapted"}]}.
[[nodiscard]] std::string domain_index(const std::string& key, const std::vector<DomainFile>& files);

}  // namespace shiftnorm::results
