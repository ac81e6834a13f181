#pragma once

#include <vector>

#include "hdf5_header.hpp"
#include "shiftnorm/container/hdf5.hpp"

namespace shiftnorm::container::hdf5 {

/// The links of a group, whichever way it keeps them; none for any other object.
[[nodiscard]] std::vector<Hdf5Link> read_links(Bytes file, const ObjectHeader& header);

}  // namespace shiftnorm::container::hdf5
