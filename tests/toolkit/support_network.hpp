#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "shiftnorm/core/array.hpp"

namespace shiftnorm::test {

using Tensors = std::vector<std::pair<std::string, Array>>;

/// The state_dict of `architecture` with seeded random weights and plausible statistics.
[[nodiscard]] Tensors random_network(const std::string& architecture, unsigned seed = 11);

/// Writes a safetensors state_dict of `architecture` with seeded random weights and plausible statistics.
void write_random_network(const std::filesystem::path& file, const std::string& architecture,
                          const std::string& prefix = "");

/// Writes `count` random uint8 images [count, 3, side, side] with labels 0..9 in turn as an array file and returns
/// where.
void write_random_arrays(const std::filesystem::path& file, std::int64_t count, std::int64_t side);

}  // namespace shiftnorm::test
