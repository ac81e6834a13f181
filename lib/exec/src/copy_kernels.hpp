#pragma once

#include <memory>
#include <vector>

#include "kernel.hpp"
#include "layout.hpp"
#include "shiftnorm/core/array.hpp"
#include "shiftnorm/graph/movement.hpp"

namespace shiftnorm::exec {

/// Between plain and blocked; padding channels become zero.
[[nodiscard]] std::unique_ptr<Kernel> compile_reorder(const Layout& from, const Layout& to);
/// Elements moved as the table says: between plain layouts or, if the movement is per_axis, in the layouts given.
[[nodiscard]] std::unique_ptr<Kernel> compile_movement(graph::Movement movement, float fill);
[[nodiscard]] std::unique_ptr<Kernel> compile_blocked_movement(const graph::Movement& movement, float fill,
                                                               const Layout& src, const Layout& dst);
/// Along channels, for sources of one block and equal pixels.
[[nodiscard]] std::unique_ptr<Kernel> compile_channel_concat(std::vector<Layout> src);
/// dst = the same values for every image.
[[nodiscard]] std::unique_ptr<Kernel> compile_constant(const Tensor& values);
/// dst = the same floats.
[[nodiscard]] std::unique_ptr<Kernel> compile_copy(std::int64_t floats);

}  // namespace shiftnorm::exec
