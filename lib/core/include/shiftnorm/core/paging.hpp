#pragma once

#include <cstddef>

namespace shiftnorm {

/// Of a mapped file: these bytes will be read soon. Advice; what the kernel declines is read when it is touched.
void read_ahead(const std::byte* data, std::size_t bytes) noexcept;

/// Of a file mapped MAP_SHARED, as an Arena with a scratch directory is: whole pages among these bytes need not stay in
/// memory. They keep their values, in the file. Memory of a process's own would lose them.
void let_go(std::byte* data, std::size_t bytes) noexcept;

}  // namespace shiftnorm
