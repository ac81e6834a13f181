#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace shiftnorm {

/// The secret of a project, with which identifiers become ids that nobody else can trace back.
class ProjectKey {
 public:
  /// Reads `folder/.shiftnorm/key`, or makes it: 32 random bytes that the owner alone may read.
  /// Errors  ConfigError if it is no such file or others may read it; MachineError if it cannot be made.
  explicit ProjectKey(const std::filesystem::path& folder);
  /// The first 16 digits of HMAC-SHA-256(key, kind NUL value).
  [[nodiscard]] std::string id(std::string_view kind, std::string_view value) const;

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace shiftnorm
