#pragma once

#include <memory>

#include "kernel.hpp"
#include "layout.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::exec {

/// Windowed maximum or average over a blocked value, by oneDNN. Null where oneDNN has no such form (dilated windows).
[[nodiscard]] std::unique_ptr<Kernel> compile_pooling(bool maximum, const Shape& src, const Shape& dst,
                                                      const graph::Window& window, std::int64_t block);
/// Mean over all pixels of each channel, summed in double.
[[nodiscard]] std::unique_ptr<Kernel> compile_global_average(const Layout& src);

}  // namespace shiftnorm::exec
