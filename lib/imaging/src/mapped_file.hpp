#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace shiftnorm::imaging {

/// A file's bytes as the kernel has them, for array files of many gigabytes: what is taken out of them is the only
/// copy. Errors  as read_file(): FormatError if it is missing or no regular file, MachineError if it cannot be read.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace shiftnorm::imaging
