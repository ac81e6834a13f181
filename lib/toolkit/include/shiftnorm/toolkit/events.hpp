#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "shiftnorm/core/progress.hpp"

namespace shiftnorm::toolkit {

/// What a job reports while it works. Every part is optional.
struct Events {
  Progress progress{};
  std::function<void(const std::string&)> info{};     ///< one line: what was found or is about to be done
  std::function<void(const std::string&)> warning{};  ///< one line: what the user should know

  void tell(const std::string& line) const {
    if (info) info(line);
  }
  void warn(const std::string& line) const {
    if (warning) warning(line);
  }
};

/// What was assumed about a network and is not among the warnings.
inline void tell_assumed(const Events& events, const std::vector<std::string>& assumed,
                         const std::vector<std::string>& warned) {
  for (const std::string& one : assumed)
    if (std::find(warned.begin(), warned.end(), one) == warned.end()) events.tell(one);
}

}  // namespace shiftnorm::toolkit
