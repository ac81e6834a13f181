#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace shiftnorm::imaging {

/// How a column may name an image.
struct NamedBy {
  std::string_view words;
  std::string (*form)(const std::string& path);
};
inline constexpr std::size_t kNamings = 4;
[[nodiscard]] const NamedBy& naming(std::size_t index);

/// A path as a table has it, in the form of ids: "./a//b.png" is "a/b.png", and so is "/data/a/b.png" below `root`.
[[nodiscard]] std::string path_in_table(std::string_view text, const std::filesystem::path& root);

}  // namespace shiftnorm::imaging
