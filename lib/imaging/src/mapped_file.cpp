#include "mapped_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging {

MappedFile::MappedFile(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  const auto fail = [&](std::string_view what, int error) {
    throw MachineError(fmt::format("{}: {}: {}", name, what, std::generic_category().message(error)));
  };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    if (errno == ENOENT || errno == ENOTDIR) throw FormatError(fmt::format("{}: no such file", name));
    fail("cannot be opened", errno);
  }
  struct stat facts {};
  const int stat_error = ::fstat(fd, &facts) == 0 ? 0 : errno;
  const bool regular = stat_error == 0 && S_ISREG(facts.st_mode);
  void* data = nullptr;
  int map_error = 0;
  if (regular && facts.st_size > 0) {
    data = ::mmap(nullptr, static_cast<std::size_t>(facts.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) map_error = errno;
  }
  ::close(fd);
  if (stat_error != 0) fail("cannot be examined", stat_error);
  if (!regular) throw FormatError(fmt::format("{}: is not a regular file", name));
  if (map_error != 0) fail("cannot be read", map_error);
  data_ = static_cast<const std::byte*>(data);
  size_ = static_cast<std::size_t>(facts.st_size);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace shiftnorm::imaging
