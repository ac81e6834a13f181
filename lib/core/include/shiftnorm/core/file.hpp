#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace shiftnorm {

inline constexpr std::uint64_t kDefaultFileLimit = std::uint64_t{8} << 30;

/// The whole file. Errors: FormatError if it is missing, no regular file, or larger than `limit` bytes;
/// MachineError if it exists and cannot be read. Texts start with the file's name (not its folders).
[[nodiscard]] std::vector<std::byte> read_file(const std::filesystem::path& path,
                                               std::uint64_t limit = kDefaultFileLimit);

/// Writes beside the target and renames over it, flushed to disk first: a crash leaves the old file or the new one.
/// Errors  MachineError (disk full, permission, a target that is a device or a pipe); the half-written neighbour is
/// removed.
void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file(const std::filesystem::path& path, std::string_view text);
/// The same with mode 0600 from its first byte on, also over a file that others could read.
void write_private_file(const std::filesystem::path& path, std::span<const std::byte> bytes);

[[nodiscard]] inline std::span<const std::byte> as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view as_text(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace shiftnorm
