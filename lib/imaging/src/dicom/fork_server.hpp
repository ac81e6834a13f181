#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>

#include "dicom/limits.hpp"

namespace shiftnorm::imaging::dicom {

/// A descriptor that closes with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  [[nodiscard]] int get() const noexcept { return fd_; }
  int release() noexcept {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_ = -1;
};

/// The small process that forks helpers, and its line to this one. It ends when this object, or this process, does.
class ForkServer {
 public:
  /// Forks now. Errors  MachineError.
  explicit ForkServer(const Limits& limits);
  ~ForkServer();
  ForkServer(const ForkServer&) = delete;
  ForkServer& operator=(const ForkServer&) = delete;

  /// A helper: packets to and from it, and the memory file in which it leaves its answers.
  struct Helper {
    pid_t pid = -1;
    Descriptor line, memory;
  };
  /// Thread-safe. Errors  MachineError.
  [[nodiscard]] Helper start_helper();
  /// Ends a helper. Returns the signal that had ended it, 0 if none had. Thread-safe.
  int end_helper(pid_t pid);

  /// The one of this process: made by DecoderHost or at the first call.
  [[nodiscard]] static std::shared_ptr<ForkServer> shared();

 private:
  std::mutex mutex_;
  Descriptor line_;
  pid_t pid_ = -1;
};

}  // namespace shiftnorm::imaging::dicom
