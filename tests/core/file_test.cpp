#include "shiftnorm/core/file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "shiftnorm/core/error.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
namespace fs = std::filesystem;

namespace {

std::string content(const fs::path& path) { return std::string(as_text(read_file(path))); }

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

mode_t permissions(const fs::path& path) {
  struct stat facts {};
  REQUIRE(::stat(path.c_str(), &facts) == 0);
  return facts.st_mode & 07777;
}

/// No file may grow beyond `bytes` while this lives: a disk that fills up in the middle of a write, also for root.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    signal_ = std::signal(SIGXFSZ, SIG_IGN);  // the write then fails with EFBIG
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_);
  }

 private:
  rlimit before_{};
  void (*signal_)(int) = SIG_DFL;
};

}  // namespace

// Law: a round trip, also over an older file and of nothing.
TEST_CASE("A file comes back as it was written") {
  const test::TempDir folder;
  std::string text;
  for (int i = 0; i < 100000; ++i) text += static_cast<char>(i * 7);
  write_file(folder.path() / "a", text);
  CHECK(content(folder.path() / "a") == text);
  write_file(folder.path() / "a", "shorter");
  CHECK(content(folder.path() / "a") == "shorter");
  write_file(folder.path() / "empty", "");
  CHECK(read_file(folder.path() / "empty").empty());
  CHECK(entries(folder.path()) == 2);
}

// Law: a message names the file, never its folders, and nothing waits for a pipe.
TEST_CASE("read_file tells what is wrong with a path, without its folders") {
  const test::TempDir folder;
  CHECK_THROWS_AS(read_file(folder.path() / "none.pth"), FormatError);
  CHECK_THROWS_WITH(read_file(folder.path() / "none.pth"), "none.pth: no such file");
  fs::create_directory(folder.path() / "sub");
  CHECK_THROWS_AS(read_file(folder.path() / "sub"), FormatError);
  CHECK_THROWS_WITH(read_file(folder.path() / "sub"), "sub: is a directory; expected a regular file");
  REQUIRE(::mkfifo((folder.path() / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(read_file(folder.path() / "pipe"),
                    "pipe: is not a file; expected a regular file");  // and does not hang
  write_file(folder.path() / "big", std::string(11, 'x'));
  CHECK_THROWS_AS(read_file(folder.path() / "big", 10), FormatError);
  CHECK_THROWS_WITH(read_file(folder.path() / "big", 10), "big: has 11 bytes; expected at most 10");
  CHECK(read_file(folder.path() / "big", 11).size() == 11);
  CHECK_THROWS_WITH(read_file(folder.path() / "big" / "below"), "below: no such file");
}

// Law: a file is the old one or the new one, whole. RLIMIT_FSIZE makes the failure.
TEST_CASE("write_file that fails half way leaves the old file and nothing else") {
  const test::TempDir folder;
  const fs::path path = folder.path() / "adapted.pth";
  write_file(path, "old");
  {
    const FileSizeLimit limit(4096);
    CHECK_THROWS_AS(write_file(path, std::string(100000, 'x')), MachineError);
    CHECK_THROWS_WITH(write_file(path, std::string(100000, 'x')), "adapted.pth: cannot be written: File too large");
  }
  CHECK(content(path) == "old");
  CHECK(entries(folder.path()) == 1);
}

// Law: what is not a regular file stays what it is.
TEST_CASE("write_file leaves pipes and devices alone") {
  const test::TempDir folder;
  const auto pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_THROWS_WITH(write_file(pipe, "x"), "pipe: is a device or a pipe; expected a regular file or none");
  CHECK(std::filesystem::is_fifo(pipe));
}

// Oracle: the texts of ENOENT and EISDIR.
TEST_CASE("write_file reports a folder that is missing, and a target that is one") {
  const test::TempDir folder;
  CHECK_THROWS_AS(write_file(folder.path() / "none" / "a", "x"), MachineError);
  CHECK_THROWS_WITH(write_file(folder.path() / "none" / "a", "x"), "a: cannot be created: No such file or directory");
  fs::create_directory(folder.path() / "sub");
  CHECK_THROWS_WITH(write_file(folder.path() / "sub", "x"), "sub: cannot be renamed into place: Is a directory");
  CHECK(entries(folder.path()) == 1);
}

// Law: without permission nothing changes.
TEST_CASE("write_file leaves the old file where the folder is read-only") {
  if (::geteuid() == 0) return;  // root may write anywhere; the half-way failure above covers root
  const test::TempDir folder;
  write_file(folder.path() / "a", "old");
  fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
  CHECK_THROWS_AS(write_file(folder.path() / "a", "new"), MachineError);
  CHECK(content(folder.path() / "a") == "old");
  fs::permissions(folder.path(), fs::perms::owner_all);
}

// Oracle: open(2), a new file has mode 0666 without the bits of the umask.
TEST_CASE("write_file gives the permissions that any new file gets") {
  const test::TempDir folder;
  const mode_t before = ::umask(027);
  write_file(folder.path() / "a", "x");
  ::umask(before);
  CHECK(permissions(folder.path() / "a") == 0640);
}

// A writer that reads the umask by setting it would leave it changed when two of them meet.
// Law: the umask after is the one before; a file holds what one writer wrote, whole.
TEST_CASE("Many threads write at once and leave the process as it was") {
  const test::TempDir folder;
  const mode_t before = ::umask(022);
  {
    std::vector<std::jthread> writers;
    for (int t = 0; t < 4; ++t)
      writers.emplace_back([&, t] {
        for (int i = 0; i < 25; ++i)
          write_file(folder.path() / ("same" + std::to_string(i % 2)), std::string(1000, static_cast<char>('a' + t)));
      });
  }
  CHECK(::umask(before) == 022);
  CHECK(entries(folder.path()) == 2);
  const std::string last = content(folder.path() / "same0");
  REQUIRE(last.size() == 1000);
  CHECK(std::all_of(last.begin(), last.end(), [&](char c) { return c == last[0]; }));
}
