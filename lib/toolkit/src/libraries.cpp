#include "shiftnorm/toolkit/libraries.hpp"

#include "shiftnorm/exec/libraries.hpp"
#include "shiftnorm/imaging/libraries.hpp"
#include "shiftnorm/metrics/libraries.hpp"

namespace shiftnorm::toolkit {

const std::vector<Library>& computing_libraries() {
  static const std::vector<Library> all = [] {
    std::vector<Library> libraries = exec::libraries();
    for (const std::vector<Library>& more : {imaging::libraries(), metrics::libraries()})
      libraries.insert(libraries.end(), more.begin(), more.end());
    return libraries;
  }();
  return all;
}

}  // namespace shiftnorm::toolkit
