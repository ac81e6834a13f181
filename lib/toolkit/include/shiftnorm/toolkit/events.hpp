#pragma once

#include <functional>
#include <string>

#include "shiftnorm/core/progress.hpp"

namespace shiftnorm::toolkit {

/// What a job tells while it works. Every part is optional.
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

}  // namespace shiftnorm::toolkit
