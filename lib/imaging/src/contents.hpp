#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace shiftnorm::imaging {

/// What Dataset::content() says of each sample, noted when it is decoded. Safe from several threads.
class Contents {
 public:
  explicit Contents(std::size_t samples = 0) : known_(samples) {}

  void set(std::size_t index, std::string content) {
    const std::lock_guard lock(mutex_);
    known_.at(index) = std::move(content);
  }
  /// `decode` is called, and must set it, if the sample was not decoded so far.
  template <class Decode>
  [[nodiscard]] std::string get(std::size_t index, Decode decode) {
    if (!find(index)) decode();
    return find(index).value_or("");
  }

 private:
  std::optional<std::string> find(std::size_t index) {
    const std::lock_guard lock(mutex_);
    return known_.at(index);
  }

  std::mutex mutex_;
  std::vector<std::optional<std::string>> known_;
};

}  // namespace shiftnorm::imaging
