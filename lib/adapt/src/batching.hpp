#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "shiftnorm/adapt/mode.hpp"

namespace shiftnorm::adapt {

using Groups = std::vector<std::vector<std::size_t>>;

/// All of so many images.
[[nodiscard]] Groups one_group(std::size_t count);

/// Batches that do not mix domains, and where each comes from.
struct DomainBatches {
  struct Origin {
    std::size_t domain = 0, batch = 0;  ///< batch: counted within the domain
  };
  Groups groups;
  std::vector<Origin> origins;
};

[[nodiscard]] DomainBatches domain_batches(const Groups& domains, std::size_t batch,
                                           std::optional<std::uint64_t> shuffle);

/// Images of a mode's batches.
[[nodiscard]] std::size_t batch_size(const Mode& mode);

}  // namespace shiftnorm::adapt
