#include "shiftnorm/core/project_key.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"

namespace shiftnorm {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kKeyBytes = 32, kIdDigits = 16;

/// Makes the key beside its place and links it there: of two programs that start together, one's key wins for both.
void make_key(const fs::path& file) {
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  std::string name = file.string() + ".XXXXXX";
  const int fd = error ? -1 : ::mkstemp(name.data());  // mode 0600
  if (fd < 0)
    throw MachineError(fmt::format("the project key cannot be made in .shiftnorm: {}",
                                   error ? error.message() : std::generic_category().message(errno)));
  const std::vector<std::byte> bytes = random_bytes(kKeyBytes);
  const bool written =
      ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) && ::fsync(fd) == 0;
  ::close(fd);
  const bool placed = written && (::link(name.c_str(), file.c_str()) == 0 || errno == EEXIST);
  const int reason = errno;
  ::unlink(name.c_str());
  if (!placed)
    throw MachineError(fmt::format("the project key cannot be written: {}", std::generic_category().message(reason)));
}

}  // namespace

ProjectKey::ProjectKey(const fs::path& folder) {
  const fs::path file = folder / ".shiftnorm" / "key";
  if (!fs::exists(file)) make_key(file);
  struct stat facts {};
  if (::stat(file.c_str(), &facts) == 0 && (facts.st_mode & 077) != 0)
    throw ConfigError(".shiftnorm/key: other users can read it; expected mode 0600, as it keeps patients' ids secret");
  bytes_ = read_file(file, 4096);
  if (bytes_.size() != kKeyBytes)
    throw ConfigError(
        fmt::format(".shiftnorm/key: {} bytes; expected the {} that this program wrote", bytes_.size(), kKeyBytes));
}

std::string ProjectKey::id(std::string_view kind, std::string_view value) const {
  std::string text(kind);
  text += '\0';
  text += value;
  return hmac_sha256_hex(bytes_, text).substr(0, kIdDigits);
}

}  // namespace shiftnorm
