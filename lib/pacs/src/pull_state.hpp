#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "shiftnorm/core/project_key.hpp"

namespace shiftnorm::pacs {

/// FOLDER/pull.state (the folder is made): which series are complete, by id, so that the next call does not fetch them
/// again. A line is added and flushed for each; a line that a crash cut short does not count. Locked: one pull for a
/// folder at a time. Errors  ConfigError: another pull works here, or the names were made with another key;
/// FormatError: no such file of ours; MachineError.
class PullState {
 public:
  PullState(const std::filesystem::path& folder, const ProjectKey& key);
  ~PullState();
  PullState(const PullState&) = delete;
  PullState& operator=(const PullState&) = delete;

  /// How many objects a series had when it was complete; 0 if it never was.
  [[nodiscard]] std::int64_t objects(const std::string& series) const;
  void complete(const std::string& series, std::int64_t objects);

 private:
  void append(const std::string& line);

  int fd_ = -1;
  std::map<std::string, std::int64_t> series_;
};

}  // namespace shiftnorm::pacs
