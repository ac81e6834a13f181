#include "shiftnorm/core/paging.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace shiftnorm {
namespace {

std::size_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

/// Bytes from the start of its page to `data`.
std::size_t into_page(const std::byte* data) noexcept { return reinterpret_cast<std::uintptr_t>(data) % page_bytes(); }

}  // namespace

void read_ahead(const std::byte* data, std::size_t bytes) noexcept {
  const std::size_t before = into_page(data);
  // const_cast: the system call has one form for advice that reads and advice that does not.
  ::madvise(const_cast<std::byte*>(data - before), bytes + before, MADV_WILLNEED);
}

void let_go(std::byte* data, std::size_t bytes) noexcept {
  const std::size_t skipped = (page_bytes() - into_page(data)) % page_bytes();
  if (skipped >= bytes) return;
  ::madvise(data + skipped, (bytes - skipped) / page_bytes() * page_bytes(), MADV_DONTNEED);
}

}  // namespace shiftnorm
