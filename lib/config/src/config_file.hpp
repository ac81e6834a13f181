#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "shiftnorm/config/config.hpp"
#include "yaml_tree.hpp"

namespace shiftnorm::config {

inline constexpr std::uint64_t kMaxConfigBytes = 1 << 20;

/// A YAML as it lies on disk, its options with the root filled in.
struct ConfigFile {
  std::string text, name;
  ConfigOptions options;
};
[[nodiscard]] ConfigFile read_config_file(const std::filesystem::path& path, const ConfigOptions& options);

/// The two steps of parse_config: the tree with --set applied, and what it says.
[[nodiscard]] yaml::Node config_tree(std::string_view text, const std::string& file_name, const ConfigOptions& options);
[[nodiscard]] Config config_of(const yaml::Node& root, const std::string& file_name, const ConfigOptions& options);

}  // namespace shiftnorm::config
