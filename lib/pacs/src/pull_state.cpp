#include "pull_state.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"

namespace shiftnorm::pacs {
namespace {

constexpr std::uint64_t kLargest = std::uint64_t{1} << 30;

[[noreturn]] void foreign() {
  throw FormatError("pull.state: was not written by this program; expected it removed, or another --out");
}

[[noreturn]] void fail(std::string_view what) {
  throw MachineError(fmt::format("pull.state: {}: {}", what, std::generic_category().message(errno)));
}

}  // namespace

PullState::PullState(const std::filesystem::path& folder, const ProjectKey& key) {
  std::error_code unmade;
  std::filesystem::create_directories(folder, unmade);
  if (unmade) throw MachineError(fmt::format("--out: cannot be made: {}", unmade.message()));
  const std::filesystem::path file = folder / "pull.state";
  fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd_ < 0) fail("cannot be opened");
  try {
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0)
      throw ConfigError("pull.state: another pull is running in this folder; expected one at a time");
    // The key's id distinguishes keys and reveals nothing about them.
    const std::string head = fmt::format("shiftnorm-pull 1 {}\n", key.id("key", ""));
    const std::vector<std::byte> bytes = read_file(file, kLargest);
    std::string_view text = as_text(bytes);
    if (text.empty()) {
      append(head);
      return;
    }
    if (!text.starts_with(head.substr(0, head.find_last_of(' ')))) foreign();
    if (!text.starts_with(head))
      throw ConfigError(
          "pull.state: the names in this folder were made with another key; "
          "expected --key with its folder, or another --out");
    text.remove_prefix(head.size());
    for (std::size_t end = 0; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
      const std::string_view line = text.substr(0, end);
      const std::size_t space = line.find(' ');
      std::int64_t objects = 0;
      const char* const stop = line.data() + line.size();
      if (space == std::string_view::npos) continue;  // cut short by a crash, the next line begun behind it
      const auto [read, error] = std::from_chars(line.data() + space + 1, stop, objects);
      if (error == std::errc{} && read == stop) series_[std::string(line.substr(0, space))] = objects;
    }
    if (!text.empty()) append("!\n");  // what a crash cut short stays no line
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

PullState::~PullState() { ::close(fd_); }

std::int64_t PullState::objects(const std::string& series) const {
  const auto found = series_.find(series);
  return found == series_.end() ? 0 : found->second;
}

void PullState::complete(const std::string& series, std::int64_t objects) {
  append(fmt::format("{} {}\n", series, objects));
  series_[series] = objects;
}

void PullState::append(const std::string& line) {
  // One write for one line: O_APPEND keeps it whole unless the disk is full.
  if (::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size()) || ::fsync(fd_) != 0)
    fail("cannot be written");
}

}  // namespace shiftnorm::pacs
