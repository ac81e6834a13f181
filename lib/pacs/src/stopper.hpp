#pragma once

#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "shiftnorm/core/progress.hpp"

namespace shiftnorm::pacs {

/// Ends what waits on our sockets once the caller has asked to stop: DCMTK's own waits do not look up before the
/// timeout. Whoever was waiting sees a closed connection, and asks Progress::check() why.
class Stopper {
 public:
  explicit Stopper(const Progress& progress);
  void watch(int socket);
  /// The newest socket: DCMTK does not hand them out.
  [[nodiscard]] int newest() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any leaving_;
  std::set<int> sockets_;
  int newest_ = -1;
  bool stopping_ = false;
  std::jthread thread_;  ///< last: it uses the others
};

}  // namespace shiftnorm::pacs
