#include "shiftnorm/experiment/libraries.hpp"

#include "shiftnorm/exec/libraries.hpp"
#include "shiftnorm/imaging/libraries.hpp"
#include "shiftnorm/metrics/libraries.hpp"

namespace shiftnorm::experiment {

const std::vector<Library>& computing_libraries() {
  static const std::vector<Library> all = [] {
    std::vector<Library> libraries = exec::libraries();
    for (const std::vector<Library>& more : {imaging::libraries(), metrics::libraries()})
      libraries.insert(libraries.end(), more.begin(), more.end());
    return libraries;
  }();
  return all;
}

container::Json libraries_json(const std::vector<Library>& libraries) {
  if (libraries.empty()) return {};
  container::Json json = container::Json::object();
  for (const Library& one : libraries) json.set(one.name, one.version);
  return json;
}

}  // namespace shiftnorm::experiment
