#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

const std::vector<Bad>& Dataset::bad() const {
  static const std::vector<Bad> none;
  return none;
}

const std::vector<Bad>& Dataset::skipped_files() const {
  static const std::vector<Bad> none;
  return none;
}

std::vector<std::string> Dataset::notes(const Pipeline&) const { return {}; }

std::optional<PixelAudit> Dataset::audit(std::size_t) const { return std::nullopt; }

}  // namespace shiftnorm::imaging
