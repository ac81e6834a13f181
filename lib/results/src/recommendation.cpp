#include "shiftnorm/results/recommendation.hpp"

#include <algorithm>
#include <array>

namespace shiftnorm::results {

bool recommendable(std::string_view policy) {
  constexpr std::array<std::string_view, 4> kTried{"source", "adabn", "blend", "mixture"};
  return std::find(kTried.begin(), kTried.end(), policy) != kTried.end();
}

}  // namespace shiftnorm::results
