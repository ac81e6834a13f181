#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hdf5_header.hpp"
#include "shiftnorm/container/hdf5.hpp"

namespace shiftnorm::container::hdf5 {

[[nodiscard]] std::optional<std::vector<std::string>> read_texts(Bytes file, const ObjectHeader& header,
                                                                 std::string_view attribute);
[[nodiscard]] Hdf5Dataset read_dataset(Bytes file, const ObjectHeader& header);

}  // namespace shiftnorm::container::hdf5
