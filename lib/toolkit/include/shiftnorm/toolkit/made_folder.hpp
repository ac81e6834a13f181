#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace shiftnorm::toolkit {

/// The folder that a path names, with or without a separator at its end.
[[nodiscard]] std::filesystem::path named_folder(const std::filesystem::path& path);
/// "/runs/.NAME<ending>" of "/runs/NAME" or "/runs/NAME/".
[[nodiscard]] std::filesystem::path hidden_beside(const std::filesystem::path& folder, std::string_view ending);

/// A folder that is made with its missing parents, and can be taken away with those of them that hold nothing else by
/// then.
class MadeFolder {
 public:
  explicit MadeFolder(std::filesystem::path path) : path_(std::move(path)) {}
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Nothing where it is there. Errors  MachineError.
  void make();
  /// With what is in it.
  void remove();

 private:
  std::filesystem::path path_;
  std::vector<std::filesystem::path> parents_;  ///< made here, innermost first
};

}  // namespace shiftnorm::toolkit
