#include "shiftnorm/results/domain_index.hpp"

#include "json_parts.hpp"
#include "shiftnorm/results/results_json.hpp"

namespace shiftnorm::results {

std::string domain_index(const std::string& key, const std::vector<DomainFile>& files) {
  using container::Json;
  Json list = Json::array();
  for (const DomainFile& file : files)
    list.push(Json::object({{"mode", file.mode},
                            {"domain", file.domain},
                            {"policy", file.policy},
                            {"images", file.images},
                            {"statistics", text_or_null(file.statistics)},
                            {"adapted", text_or_null(file.adapted)}}));
  return container::write_json(Json::object({{"schema", kResultsSchema}, {"key", key}, {"files", std::move(list)}}),
                               2) +
         "\n";
}

}  // namespace shiftnorm::results
