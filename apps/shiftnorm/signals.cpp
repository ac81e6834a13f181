#include "signals.hpp"

#include <csignal>

namespace shiftnorm::app {
namespace {

std::atomic<bool> stop_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

extern "C" void ask_to_stop(int) { stop_asked.store(true, std::memory_order_relaxed); }

}  // namespace

const std::atomic<bool>& cancelled() { return stop_asked; }

void install_signal_handlers() {
  struct sigaction action = {};
  action.sa_handler = ask_to_stop;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // A lost terminal stops the work as Ctrl-C does, unless nohup has it ignored.
  struct sigaction before = {};
  sigaction(SIGHUP, nullptr, &before);
  if (before.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
}

}  // namespace shiftnorm::app
