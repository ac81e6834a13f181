#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "dicom/answer_memory.hpp"
#include "dicom/fork_server.hpp"
#include "dicom/service.hpp"

namespace shiftnorm::imaging::dicom {

/// As many helpers as there are threads that ask at the same time. A helper that dies or takes too long costs the
/// request it was working on, and is replaced.
class HelperPool {
 public:
  explicit HelperPool(const Limits& limits = {});
  ~HelperPool();
  HelperPool(const HelperPool&) = delete;
  HelperPool& operator=(const HelperPool&) = delete;

  /// The answer; what is wrong with the file comes as Fault (decoder_crashed and decoder_timeout among them).
  /// Thread-safe. Errors  Fault; ConfigError for an unknown tag; MachineError.
  [[nodiscard]] Answer ask(const Request& request);

 private:
  struct Worker {
    ForkServer::Helper helper;
    AnswerMemory answers;
    std::string last_path;
  };
  Worker take(const std::string& path);
  void give_back(Worker worker);
  [[noreturn]] void bury(const Worker& worker, bool late);

  Limits limits_;
  std::shared_ptr<ForkServer> fork_server_;
  std::mutex mutex_;
  std::vector<Worker> idle_;
};

}  // namespace shiftnorm::imaging::dicom
