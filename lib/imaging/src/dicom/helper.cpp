#include "dicom/helper.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <fstream>

#include "dicom/answer_memory.hpp"
#include "dicom/service.hpp"
#include "dicom/wire.hpp"
#include "shiftnorm/core/heap.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

constexpr std::size_t kMostRequest = std::size_t{1} << 16;

/// Address space so far and helper_memory more. Not under AddressSanitizer, whose shadow is larger than any limit.
void limit_memory(const Limits& limits) {
#ifndef __SANITIZE_ADDRESS__
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t most = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) + limits.helper_memory;
  const rlimit space{most, most};
  ::setrlimit(RLIMIT_AS, &space);
#else
  static_cast<void>(limits);
#endif
}

/// Seconds of processor time that this request may add to what the process has used.
void limit_time(const std::string& path, const Limits& limits) {
  struct stat facts {};
  const double size = ::stat(path.c_str(), &facts) == 0 ? static_cast<double>(facts.st_size) : 0.0;
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  const double allowed = limits.cpu_seconds + limits.cpu_seconds_per_10_mib * size / (10.0 * 1024 * 1024);
  rlimit time{};
  ::getrlimit(RLIMIT_CPU, &time);
  time.rlim_cur = static_cast<rlim_t>(std::ceil(static_cast<double>(used.tv_sec) + 1 + allowed));
  ::setrlimit(RLIMIT_CPU, &time);
}

}  // namespace

void serve(int line, int memory, const Limits& limits) {
  AnswerMemory answers(memory);
  limit_memory(limits);
  keep_freed_memory();
  Service service(limits);
  std::vector<std::byte> packet(kMostRequest);
  while (true) {
    const ssize_t n = ::recv(line, packet.data(), packet.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    const auto request = from_bytes<Request>(std::span(packet).first(static_cast<std::size_t>(n)));
    limit_time(request.path, limits);
    Done done;
    std::vector<std::byte> bytes;
    Answer answer;
    try {
      answer = service.answer(request);
      done.tired = answer.fault == Reason::limit;
      bytes = to_bytes(answer);
    } catch (const ConfigError& e) {
      done.configuration = true;
      bytes = to_bytes(std::string(e.what()));
    }
    done.bytes = bytes.size();
    done.values = answer.frame.values.size();
    if (!answers.write(bytes, 0) || !answers.write(answer.frame.values, done.bytes)) return;
    if (::send(line, &done, sizeof done, MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof done)) return;
  }
}

}  // namespace shiftnorm::imaging::dicom
