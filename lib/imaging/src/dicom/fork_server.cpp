#include "dicom/fork_server.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <system_error>

#include "dicom/answer_memory.hpp"
#include "dicom/helper.hpp"
#include "dicom/object.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/imaging/decoder_host.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

enum class Order : char { start, end };

struct Message {
  Order order = Order::start;
  pid_t pid = -1;
};
struct Reply {
  pid_t pid = -1;  ///< -1: no process could be made
  int signal = 0;
};

[[noreturn]] void machine(std::string_view what) {
  throw MachineError(fmt::format("decoding helpers: {}: {}", what, std::generic_category().message(errno)));
}

/// Two ends of a line that keeps packets apart.
std::array<Descriptor, 2> make_line() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) machine("no socket");
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

constexpr std::size_t kPassed = 2;  ///< descriptors that go with Order::start: the helper's line and its memory

bool send_message(int line, const Message& message, std::span<const int> descriptors) {
  iovec part{const_cast<Message*>(&message), sizeof message};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kPassed * sizeof(int))> control{};
  if (!descriptors.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* first = CMSG_FIRSTHDR(&header);
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(first), descriptors.data(), descriptors.size_bytes());
  }
  return ::sendmsg(line, &header, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof message);
}

/// False at the end of the line.
bool receive_message(int line, Message& message, std::array<int, kPassed>& descriptors) {
  iovec part{&message, sizeof message};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kPassed * sizeof(int))> control{};
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t n = 0;
  do n = ::recvmsg(line, &header, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n != static_cast<ssize_t>(sizeof message)) return false;
  if (const cmsghdr* first = CMSG_FIRSTHDR(&header); first != nullptr && first->cmsg_type == SCM_RIGHTS)
    std::memcpy(descriptors.data(), CMSG_DATA(first), sizeof descriptors);
  return true;
}

/// Nothing of the parent's files stays open, nothing is printed, no memory image of patients' data is left behind.
void isolate(int line) {
  ::prctl(PR_SET_NAME, "shiftnorm-host");
  for (const int ignored : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(ignored, SIG_IGN);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  if (const int null = ::open("/dev/null", O_RDWR); null >= 0)
    for (const int standard : {0, 1, 2}) ::dup2(null, standard);
  if (line > 3) ::close_range(3, static_cast<unsigned>(line) - 1, 0);
  ::close_range(static_cast<unsigned>(line) + 1, ~0U, 0);
}

pid_t fork_helper(const std::array<int, kPassed>& descriptors, int line, const Limits& limits) {
  // Once, before the first helper: they inherit the dictionary.
  start_dcmtk();
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::close(line);
  ::prctl(PR_SET_NAME, "shiftnorm-dcm");
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  serve(descriptors[0], descriptors[1], limits);
  ::_exit(0);
}

[[noreturn]] void run_fork_server(int line, const Limits& limits) {
  isolate(line);
  std::set<pid_t> children;
  Message message;
  std::array<int, kPassed> descriptors{-1, -1};
  while (receive_message(line, message, descriptors)) {
    Reply reply;
    if (message.order == Order::start) {
      try {
        reply.pid = fork_helper(descriptors, line, limits);
      } catch (const std::exception&) {
        reply.pid = -1;
      }
      for (const int fd : descriptors) ::close(fd);
      if (reply.pid > 0) children.insert(reply.pid);
    } else if (children.erase(message.pid) > 0) {
      reply.pid = message.pid;
      // One that is dead already keeps the signal that killed it.
      int status = 0;
      if (::waitpid(message.pid, &status, WNOHANG) == message.pid) {
        reply.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
      } else {
        ::kill(message.pid, SIGKILL);
        ::waitpid(message.pid, &status, 0);
      }
    }
    if (::send(line, &reply, sizeof reply, MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof reply)) break;
  }
  for (const pid_t child : children) ::kill(child, SIGKILL);
  ::_exit(0);
}

Reply ask(int line, const Message& message, std::span<const int> descriptors) {
  Reply reply;
  if (!send_message(line, message, descriptors)) machine("the process that starts them is gone");
  ssize_t n = 0;
  do n = ::recv(line, &reply, sizeof reply, 0);
  while (n < 0 && errno == EINTR);
  if (n != static_cast<ssize_t>(sizeof reply)) machine("the process that starts them is gone");
  return reply;
}

std::mutex current_mutex;
std::weak_ptr<ForkServer> current;

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}
Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

ForkServer::ForkServer(const Limits& limits) {
  std::array<Descriptor, 2> ends = make_line();
  pid_ = ::fork();
  if (pid_ < 0) machine("no process");
  if (pid_ == 0) run_fork_server(ends[1].get(), limits);
  line_ = std::move(ends[0]);
}

ForkServer::~ForkServer() {
  line_ = Descriptor();
  ::waitpid(pid_, nullptr, 0);
}

ForkServer::Helper ForkServer::start_helper() {
  std::array<Descriptor, 2> ends = make_line();
  Helper helper;
  helper.memory = Descriptor(AnswerMemory::create());
  const std::array<int, kPassed> passed{ends[1].get(), helper.memory.get()};
  const std::lock_guard lock(mutex_);
  helper.pid = ask(line_.get(), {Order::start, -1}, passed).pid;
  if (helper.pid <= 0)
    throw MachineError("decoding helpers: none can be started; expected DCMTK's data dictionary and a free process");
  helper.line = std::move(ends[0]);
  return helper;
}

int ForkServer::end_helper(pid_t pid) {
  const std::lock_guard lock(mutex_);
  return ask(line_.get(), {Order::end, pid}, {}).signal;
}

std::shared_ptr<ForkServer> ForkServer::shared() {
  const std::lock_guard lock(current_mutex);
  std::shared_ptr<ForkServer> server = current.lock();
  if (!server) current = server = std::make_shared<ForkServer>(Limits{});
  return server;
}

}  // namespace shiftnorm::imaging::dicom

namespace shiftnorm::imaging {

DecoderHost::DecoderHost() : fork_server_(dicom::ForkServer::shared()) {}
DecoderHost::~DecoderHost() = default;

}  // namespace shiftnorm::imaging
