#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace shiftnorm::toolkit {

/// Where a run keeps what it has computed until it is finished, so that a later call continues from there. Programs say
/// where that is. Names depend on everything that the content depends on, the run's address (run_key) included: what is
/// found under a name is what would be computed.
struct ResumeStore {
  std::function<std::optional<std::vector<std::byte>>(const std::string& name)> find;
  std::function<void(const std::string& name, std::span<const std::byte> bytes)> keep;  ///< whole or not at all
};

}  // namespace shiftnorm::toolkit
