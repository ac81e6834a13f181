#include "process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace shiftnorm::test {
namespace {

struct Pipe {
  int read = -1, write = -1;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    read = ends[0];
    write = ends[1];
  }
  ~Pipe() {
    if (read >= 0) ::close(read);
    close_write();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_write() {
    if (write >= 0) ::close(write);
    write = -1;
  }
};

[[noreturn]] void become(const std::filesystem::path& folder, std::vector<std::string>& arguments, const Pipe& out,
                         const Pipe& err) {
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(out.write, STDOUT_FILENO);
  ::dup2(err.write, STDERR_FILENO);
  if (::chdir(folder.c_str()) != 0) ::_exit(126);
  std::string program = SHIFTNORM_PROGRAM;
  std::vector<char*> argv{program.data()};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

}  // namespace

Call shiftnorm_signalled(const std::filesystem::path& folder, std::vector<std::string> arguments, int signal,
                         const std::string& awaited) {
  Pipe out, err;
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork");
  if (child == 0) become(folder, arguments, out, err);
  out.close_write();
  err.close_write();
  Call call;
  std::array<pollfd, 2> waits{{{out.read, POLLIN, 0}, {err.read, POLLIN, 0}}};
  bool sent = signal == 0;
  while (waits[0].fd >= 0 || waits[1].fd >= 0) {
    ::poll(waits.data(), waits.size(), -1);
    for (std::size_t i = 0; i < waits.size(); ++i) {
      if (waits[i].fd < 0 || waits[i].revents == 0) continue;
      std::array<char, 4096> buffer{};
      const ssize_t n = ::read(waits[i].fd, buffer.data(), buffer.size());
      if (n <= 0)
        waits[i].fd = -1;
      else
        (i == 0 ? call.out : call.err).append(buffer.data(), static_cast<std::size_t>(n));
    }
    if (!sent && call.err.find(awaited) != std::string::npos) {
      ::kill(child, signal);
      sent = true;
    }
  }
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  call.peak_kilobytes = usage.ru_maxrss;
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  call.processor_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  call.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  return call;
}

Call shiftnorm(const std::filesystem::path& folder, std::vector<std::string> arguments) {
  return shiftnorm_signalled(folder, std::move(arguments), 0, "");
}

std::vector<std::string> files_below(const std::filesystem::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    files.push_back(std::filesystem::relative(entry.path(), folder).string());
  std::ranges::sort(files);
  return files;
}

}  // namespace shiftnorm::test
