#include "stopper.hpp"

#include <sys/socket.h>

#include <chrono>

namespace shiftnorm::pacs {

Stopper::Stopper(const Progress& progress) {
  if (progress.cancelled == nullptr) return;
  thread_ = std::jthread([this, cancelled = progress.cancelled](const std::stop_token& end) {
    constexpr std::chrono::milliseconds kStep{100};
    std::unique_lock lock(mutex_);
    while (!end.stop_requested() && !cancelled->load(std::memory_order_relaxed))
      leaving_.wait_for(lock, end, kStep, [] { return false; });
    // Numbers of sockets that are closed already do no harm: nothing else is opened here that could be shut down.
    stopping_ = !end.stop_requested();
    if (stopping_)
      for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  });
}

void Stopper::watch(int socket) {
  const std::lock_guard lock(mutex_);
  sockets_.insert(socket);
  newest_ = socket;
  if (stopping_) ::shutdown(socket, SHUT_RDWR);
}

int Stopper::newest() const {
  const std::lock_guard lock(mutex_);
  return newest_;
}

}  // namespace shiftnorm::pacs
