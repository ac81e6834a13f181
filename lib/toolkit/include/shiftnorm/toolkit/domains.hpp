#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/config/config.hpp"
#include "shiftnorm/results/results.hpp"
#include "shiftnorm/toolkit/export.hpp"
#include "shiftnorm/toolkit/scoring.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

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

/// Domains without a usable image are left out. Names that would identify a site are `domain-1`, `domain-2` .. unless
/// `config.shown`. Errors  ConfigError for more than kMostDomains values.
[[nodiscard]] Domains find_domains(const Session& session, const config::DomainConfig& config);
inline constexpr std::size_t kMostDomains = 1000;

/// Images with the same value of a column or attribute, compared as domains are.
[[nodiscard]] Groups column_groups(const Session& session, const std::string& column);

/// One mode for each domain: where a domain has too few images for a policy that trusts them alone, the named blend.
[[nodiscard]] std::vector<adapt::Domain> treatments(const adapt::Mode& mode, const Domains& domains,
                                                    const config::DomainConfig& config);

/// What a mode did to all images, and to each domain. `domains` holds those that are scored, `treated` those that are
/// measured. source: empty if the file has no statistics.
[[nodiscard]] results::ModeReport report_domains(const Scorer& scorer, const adapt::Mode& mode, const Domains& domains,
                                                 const std::vector<adapt::Domain>& treated,
                                                 const adapt::DomainResults& results, const stats::Statistics& source);

/// For exports and statistics of one domain.
[[nodiscard]] DataFacts data_facts(const Session& session, const Domains& domains, std::size_t domain,
                                   std::span<const adapt::LeftOut> left_out);

/// `folder/adapted.pth` for the domain `b`: `folder/adapted.b.pth`.
[[nodiscard]] std::filesystem::path domain_path(const std::filesystem::path& file, std::string_view stem);

/// Names made fit for files, each given out once: characters other than letters, digits, '-' and inner dots become '_'.
class FileStems {
 public:
  [[nodiscard]] std::string take(std::string_view name);

 private:
  std::set<std::string> taken_;
};

}  // namespace shiftnorm::toolkit
