#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace shiftnorm::test {

/// Root of the shared test data, or nothing where it is absent; prints "SKIPPED: <test>" then, which the runner counts.
/// Use:  const auto shared = shared_data("name of this test"); if (!shared) return;
[[nodiscard]] std::optional<std::filesystem::path> shared_data(const std::string& test);

/// Root of this source tree.
[[nodiscard]] std::filesystem::path source_root();

/// A folder that is removed with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace shiftnorm::test
