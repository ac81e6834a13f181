#include "shiftnorm/core/version.hpp"

namespace shiftnorm {

std::string_view version() { return SHIFTNORM_VERSION; }

}  // namespace shiftnorm
