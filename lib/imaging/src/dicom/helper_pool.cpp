#include "dicom/helper_pool.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "dicom/helper.hpp"
#include "dicom/wire.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

enum class Waited { done, dead, late };

/// Waits for a packet of exactly `done`'s size.
Waited wait_for(int line, double seconds, Done& done) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0) return Waited::late;
    pollfd wanted{line, POLLIN, 0};
    const int ready = ::poll(&wanted, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Waited::late;
    const ssize_t n = ::recv(line, &done, sizeof done, 0);
    if (n < 0 && errno == EINTR) continue;
    return n == static_cast<ssize_t>(sizeof done) ? Waited::done : Waited::dead;
  }
}

/// The answer's bytes: copied out, so that nothing the helper does later matters.
std::vector<std::byte> fetch(int memory, std::uint64_t size, std::uint64_t most) {
  if (size > most) throw FormatError("an answer of a decoding helper is too large");
  std::vector<std::byte> bytes(size);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::pread(memory, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw FormatError("an answer of a decoding helper is cut");
    done += static_cast<std::size_t>(n);
  }
  return bytes;
}

}  // namespace

HelperPool::HelperPool(const Limits& limits) : limits_(limits), nursery_(Nursery::shared()) {}

HelperPool::~HelperPool() {
  for (const Worker& worker : idle_) {
    try {
      nursery_->end_helper(worker.helper.pid);
    } catch (const Error&) {
      break;  // the host is gone, and its helpers with it
    }
  }
}

HelperPool::Worker HelperPool::take(const std::string& path) {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      // The one that still has the object at hand.
      auto chosen = std::ranges::find(idle_, path, &Worker::last_path);
      if (chosen == idle_.end()) chosen = idle_.end() - 1;
      Worker worker = std::move(*chosen);
      idle_.erase(chosen);
      return worker;
    }
  }
  return {nursery_->start_helper(), {}};
}

void HelperPool::give_back(Worker worker) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(worker));
}

void HelperPool::bury(const Worker& worker, bool late) {
  const int signal = nursery_->end_helper(worker.helper.pid);
  if (late) throw Fault(Reason::decoder_timeout, "decoding took too long");
  if (signal == SIGXCPU) throw Fault(Reason::decoder_timeout, "decoding took too much processor time");
  throw Fault(Reason::decoder_crashed, "the decoder did not survive the object");
}

Answer HelperPool::ask(const Request& request) {
  Worker worker = take(request.path);
  worker.last_path = request.path;
  const std::vector<std::byte> packet = to_bytes(request);
  Done done;
  const bool sent = ::send(worker.helper.line.get(), packet.data(), packet.size(), MSG_NOSIGNAL) ==
                    static_cast<ssize_t>(packet.size());
  const Waited waited = sent ? wait_for(worker.helper.line.get(), limits_.wall_seconds, done) : Waited::dead;
  if (waited != Waited::done) bury(worker, waited == Waited::late);
  Answer answer;
  std::string refusal;
  try {
    const std::vector<std::byte> bytes = fetch(worker.helper.memory.get(), done.bytes, limits_.decoded_bytes);
    if (done.configuration)
      refusal = from_bytes<std::string>(bytes);
    else
      answer = from_bytes<Answer>(bytes);
  } catch (const FormatError&) {
    bury(worker, false);
  }
  if (done.tired)
    nursery_->end_helper(worker.helper.pid);
  else
    give_back(std::move(worker));
  if (!refusal.empty()) throw ConfigError(refusal);
  if (answer.fault) throw Fault(*answer.fault, answer.detail, answer.offset);
  return answer;
}

}  // namespace shiftnorm::imaging::dicom
