#include "dicom/helper_pool.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

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

/// What the pixel chain relies on: the helper may have been taken over by a file.
void check_frame(const StoredFrame& frame, const Limits& limits) {
  const PixelModule& m = frame.module;
  const auto in = [](std::int64_t value, std::int64_t low, std::int64_t high) { return value >= low && value <= high; };
  const bool sound = in(m.rows, 1, limits.side) && in(m.columns, 1, limits.side) && in(m.samples, 1, 3) &&
                     in(m.bits_allocated, 1, 32) && in(m.bits_stored, 1, m.bits_allocated);
  const bool one_sample = m.grey() || m.photometric == Photometric::palette;
  const bool coloured = m.photometric <= Photometric::ybr_ict && m.samples == (one_sample ? 1 : 3);
  if (!sound || !coloured || std::cmp_not_equal(frame.values.size(), m.frame_values() * m.value_bytes()))
    throw FormatError("an answer of a decoding helper contradicts itself");
}

/// What the pixel chain relies on.
void check_rules(const FrameRules& rules, const PixelModule& m) {
  const auto filled = [](const LookupTable& table) { return !table.entries.empty(); };
  const bool sound = rules.padding_low.has_value() == rules.padding_high.has_value() &&
                     (!rules.modality_table || filled(*rules.modality_table)) &&
                     std::ranges::all_of(rules.voi_tables, filled) && std::ranges::all_of(rules.palette, filled) &&
                     (m.photometric != Photometric::palette || rules.palette.size() == 3);
  if (!sound) throw FormatError("an answer of a decoding helper contradicts itself");
}

}  // namespace

HelperPool::HelperPool(const Limits& limits) : limits_(limits), fork_server_(ForkServer::shared()) {}

HelperPool::~HelperPool() {
  for (const Worker& worker : idle_) {
    try {
      fork_server_->end_helper(worker.helper.pid);
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
  ForkServer::Helper helper = fork_server_->start_helper();
  const int memory = helper.memory.get();
  return {std::move(helper), AnswerMemory(memory), {}};
}

void HelperPool::give_back(Worker worker) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(worker));
}

void HelperPool::bury(const Worker& worker, bool late) {
  const int signal = fork_server_->end_helper(worker.helper.pid);
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
    if (done.bytes > limits_.decoded_bytes || done.values > limits_.decoded_bytes)
      throw FormatError("an answer of a decoding helper is too large");
    const std::vector<std::byte> bytes = worker.answers.read(0, done.bytes);
    if (done.configuration) {
      refusal = from_bytes<std::string>(bytes);
    } else {
      answer = from_bytes<Answer>(bytes);
      answer.frame.values = worker.answers.read(done.bytes, done.values);
      if (request.task == Task::frame && !answer.fault) {
        check_frame(answer.frame, limits_);
        check_rules(answer.rules, answer.frame.module);
      }
    }
  } catch (const FormatError&) {
    bury(worker, false);
  }
  if (done.tired)
    fork_server_->end_helper(worker.helper.pid);
  else
    give_back(std::move(worker));
  if (!refusal.empty()) throw ConfigError(refusal);
  if (answer.fault) throw Fault(*answer.fault, answer.detail, answer.offset);
  return answer;
}

}  // namespace shiftnorm::imaging::dicom
