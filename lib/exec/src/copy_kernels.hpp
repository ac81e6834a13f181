#pragma once

#include <memory>
#include <vector>

#include "kernel.hpp"
#include "layout.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::exec {

/// Between plain and blocked; padding channels become zero.
[[nodiscard]] std::unique_ptr<Kernel> compile_reorder(const Layout& from, const Layout& to);
/// Every axis of `src` (N first) as `axes` says; both in the same block.
[[nodiscard]] std::unique_ptr<Kernel> compile_slice(const Shape& src, const Shape& dst,
                                                    std::vector<graph::SliceAxis> axes, std::int64_t block);
/// Zero padding by `before` elements in front of each axis (N first); both in the same block.
[[nodiscard]] std::unique_ptr<Kernel> compile_pad(const Shape& src, const Shape& dst, std::vector<std::int64_t> before,
                                                  float value, std::int64_t block);
/// The channels `indices` of `src`, in that order and the same block.
[[nodiscard]] std::unique_ptr<Kernel> compile_gather(const Shape& src, std::vector<std::int64_t> indices,
                                                     std::int64_t block);
/// Along channels, for sources of one block and equal pixels.
[[nodiscard]] std::unique_ptr<Kernel> compile_channel_concat(std::vector<Layout> src);
/// dst = the same floats.
[[nodiscard]] std::unique_ptr<Kernel> compile_copy(std::int64_t floats);

}  // namespace shiftnorm::exec
