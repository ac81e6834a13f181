#include "shiftnorm/core/aligned.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm {
namespace {

/// An unlinked file of `bytes` bytes: its blocks are reserved now, so that a full disk is an error and not a signal
/// later.
int scratch_file(const char* directory, std::size_t bytes) {
  const int fd = ::open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) throw MachineError(std::string("scratch directory: ") + std::generic_category().message(errno));
  const int failed = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  if (failed != 0) {
    ::close(fd);
    throw MachineError("scratch file of " + std::to_string(bytes >> 20) +
                       " MiB: " + std::generic_category().message(failed));
  }
  return fd;
}

}  // namespace

Arena::Arena(std::size_t bytes, const char* scratch_directory) {
  if (bytes == 0) return;
  const int fd = scratch_directory != nullptr ? scratch_file(scratch_directory, bytes) : -1;
  const int flags = fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (p == MAP_FAILED)
    throw MachineError("memory of " + std::to_string(bytes >> 20) + " MiB: " + std::generic_category().message(error));
  if (fd < 0) ::madvise(p, bytes, MADV_HUGEPAGE);  // advice: a kernel without huge pages may decline
  data_ = static_cast<std::byte*>(p);
  bytes_ = bytes;
}

Arena::Arena(Arena&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Arena& Arena::operator=(Arena&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Arena::~Arena() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

}  // namespace shiftnorm
