#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/experiment/config.hpp"
#include "shiftnorm/experiment/export.hpp"
#include "shiftnorm/experiment/results.hpp"
#include "shiftnorm/experiment/scoring.hpp"
#include "shiftnorm/experiment/session.hpp"

namespace shiftnorm::experiment {

/// The usable images of a session by the value that a column or attribute has for them, values compared without
/// regard to case and blanks; none is `unknown`.
struct Domains {
  std::string key;
  std::vector<std::string> names;                ///< for people; in the order of the values
  std::vector<std::string> stems;                ///< for files, each another
  std::vector<std::vector<std::size_t>> images;  ///< of the store, ascending
  std::vector<std::vector<std::size_t>> listed;  ///< of the data set, bad ones included
  std::vector<std::int64_t> bad;                 ///< images that could not be used
};

/// Domains without a usable image are left out. Names that would tell a site are `domain-1`, `domain-2` .. unless
/// `config.shown`. Errors  ConfigError for more than kMostDomains values.
[[nodiscard]] Domains find_domains(const Session& session, const DomainConfig& config);
inline constexpr std::size_t kMostDomains = 1000;

/// A value of column or attribute `key` as domains compare it: ends trimmed, blanks inside made one, ASCII letters
/// lower case; none is `unknown`; KVP is rounded.
[[nodiscard]] std::string domain_value(std::string_view key, std::string_view value);

/// Images with the same value of a column or attribute, compared as domains are.
[[nodiscard]] Groups column_groups(const Session& session, const std::string& column);

/// Whether a column's values may name a place, a person, a date or a device rather than a kind of image.
[[nodiscard]] bool tells_site(std::string_view column);

/// One mode for each domain: where a domain has too few images for a policy that trusts them alone, the named blend.
[[nodiscard]] std::vector<adapt::Domain> treatments(const adapt::Mode& mode, const Domains& domains,
                                                    const DomainConfig& config);

/// What a mode did to all images, and to each domain. `domains` holds those that are scored, `treated` those that are
/// measured. source: empty if the file has no statistics.
[[nodiscard]] ModeReport report_domains(const Scorer& scorer, const adapt::Mode& mode, const Domains& domains,
                                        const std::vector<adapt::Domain>& treated, const adapt::DomainResults& results,
                                        const stats::Statistics& source);

/// For exports and statistics of one domain.
[[nodiscard]] DataFacts data_facts(const Session& session, const Domains& domains, std::size_t domain,
                                   std::span<const adapt::LeftOut> left_out);

/// `folder/adapted.pth` for the domain `b`: `folder/adapted.b.pth`.
[[nodiscard]] std::filesystem::path domain_path(const std::filesystem::path& file, std::string_view stem);

/// One line of the index that a bank of files comes with.
struct DomainFile {
  std::string mode, domain, policy;
  std::int64_t images = 0;
  std::string statistics, adapted;  ///< names of files; empty: none
};
/// domains.json: {"schema": 1, "key": .., "files": [{"mode", "domain", "policy", "images", "statistics", "adapted"}]}.
[[nodiscard]] std::string domain_index(const std::string& key, const std::vector<DomainFile>& files);

/// Names made fit for files, each given out once: characters other than letters, digits, '-' and inner dots become '_'.
class FileStems {
 public:
  [[nodiscard]] std::string take(std::string_view name);

 private:
  std::set<std::string> taken_;
};

}  // namespace shiftnorm::experiment
