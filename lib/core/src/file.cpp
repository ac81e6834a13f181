#include "shiftnorm/core/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm {
namespace {

/// Owns one file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int close() { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view what, int error) {
  throw MachineError(fmt::format("{}: {}: {}", path.filename().string(), what, std::generic_category().message(error)));
}

}  // namespace

std::vector<std::byte> read_file(const std::filesystem::path& path, std::uint64_t limit) {
  const std::string name = path.filename().string();
  // O_NONBLOCK: opening a named pipe must not hang; regular files ignore it.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    if (errno == ENOENT || errno == ENOTDIR) throw FormatError(fmt::format("{}: no such file", name));
    fail(path, "cannot be opened", errno);
  }
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) fail(path, "cannot be examined", errno);
  if (!S_ISREG(facts.st_mode))
    throw FormatError(fmt::format("{}: {}; expected a regular file", name,
                                  S_ISDIR(facts.st_mode) ? "is a directory" : "is not a file"));
  const auto size = static_cast<std::uint64_t>(facts.st_size);
  if (size > limit) throw FormatError(fmt::format("{}: has {} bytes; expected at most {}", name, size, limit));
  std::vector<std::byte> bytes(size);
  for (std::size_t at = 0; at < size;) {
    const ssize_t n = ::read(file.get(), bytes.data() + at, size - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path, "cannot be read", errno);
    if (n == 0) throw FormatError(fmt::format("{}: ended after {} of {} bytes while being read", name, at, size));
    at += static_cast<std::size_t>(n);
  }
  return bytes;
}

namespace {

void write_with_mode(const std::filesystem::path& path, std::span<const std::byte> bytes, mode_t mode) {
  // Renaming over a device or a pipe would put a plain file in its place.
  struct stat target {};
  if (::stat(path.c_str(), &target) == 0 && !S_ISREG(target.st_mode) && !S_ISDIR(target.st_mode))
    throw MachineError(
        fmt::format("{}: is a device or a pipe; expected a regular file or none", path.filename().string()));
  // Not mkstemp: it makes the file 0600, and the umask that says what it should be cannot be read without setting it
  // for every thread. Process and counter make the name our own; O_EXCL sees to what a crashed process left.
  static std::atomic<std::uint64_t> counter{0};
  const std::string beside =
      (path.parent_path() / fmt::format(".{}.{}-{}", path.filename().string(), ::getpid(), counter++)).string();
  int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0 && errno == EEXIST && ::unlink(beside.c_str()) == 0)
    fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) fail(path, "cannot be created", errno);
  Descriptor file(fd);
  const auto give_up = [&](std::string_view what, int error) {
    ::unlink(beside.c_str());
    fail(path, what, error);
  };
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t n = ::write(file.get(), bytes.data() + at, bytes.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) give_up("cannot be written", errno);
    at += static_cast<std::size_t>(n);
  }
  if (::fsync(file.get()) != 0) give_up("cannot be flushed", errno);
  if (file.close() != 0) give_up("cannot be closed", errno);
  if (::rename(beside.c_str(), path.c_str()) != 0) give_up("cannot be renamed into place", errno);
}

}  // namespace

void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  write_with_mode(path, bytes, 0666);
}
void write_private_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  write_with_mode(path, bytes, 0600);
}

void write_file(const std::filesystem::path& path, std::string_view text) { write_file(path, as_bytes(text)); }

}  // namespace shiftnorm
