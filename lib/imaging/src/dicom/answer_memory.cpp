#include "dicom/answer_memory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

constexpr std::uint64_t kWindow = std::uint64_t{64} << 20;

[[noreturn]] void machine() {
  throw MachineError(fmt::format("decoding helpers: no memory file: {}", std::generic_category().message(errno)));
}

std::uint64_t size_of(int fd) {
  struct stat facts {};
  return ::fstat(fd, &facts) == 0 ? static_cast<std::uint64_t>(facts.st_size) : 0;
}

/// How much of [offset, offset + size) lies in the window.
std::uint64_t mapped_part(std::uint64_t offset, std::uint64_t size) {
  return offset >= kWindow ? 0 : std::min(size, kWindow - offset);
}

}  // namespace

int AnswerMemory::create() {
  const int fd = ::memfd_create("shiftnorm-answer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) machine();
  if (::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    const int error = errno;
    ::close(fd);
    errno = error;
    machine();
  }
  return fd;
}

AnswerMemory::AnswerMemory(int fd) : fd_(fd) {
  void* window = ::mmap(nullptr, kWindow, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (window == MAP_FAILED) machine();
  window_ = static_cast<std::byte*>(window);
}
AnswerMemory::AnswerMemory(AnswerMemory&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), window_(std::exchange(other.window_, nullptr)) {}
AnswerMemory& AnswerMemory::operator=(AnswerMemory&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(window_, other.window_);
  return *this;
}
AnswerMemory::~AnswerMemory() {
  if (window_ != nullptr) ::munmap(window_, kWindow);
}

bool AnswerMemory::write(std::span<const std::byte> bytes, std::uint64_t offset) {
  const std::uint64_t end = offset + bytes.size();
  if (end > size_of(fd_) && ::ftruncate(fd_, static_cast<off_t>(end)) != 0) return false;
  std::uint64_t done = mapped_part(offset, bytes.size());
  if (done > 0) std::memcpy(window_ + offset, bytes.data(), done);
  while (done < bytes.size()) {
    const ssize_t n = ::pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<std::uint64_t>(n);
  }
  return true;
}

std::vector<std::byte> AnswerMemory::read(std::uint64_t offset, std::uint64_t size) const {
  const auto cut = [] { return FormatError("an answer of a decoding helper is cut"); };
  const std::uint64_t there = size_of(fd_);
  if (offset > there || size > there - offset) throw cut();
  std::vector<std::byte> bytes;
  std::uint64_t done = mapped_part(offset, size);
  bytes.reserve(size);
  if (done > 0) bytes.assign(window_ + offset, window_ + offset + done);
  bytes.resize(size);
  while (done < size) {
    const ssize_t n = ::pread(fd_, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw cut();
    done += static_cast<std::uint64_t>(n);
  }
  return bytes;
}

}  // namespace shiftnorm::imaging::dicom
