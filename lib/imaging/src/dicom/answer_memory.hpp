#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace shiftnorm::imaging::dicom {

/// The memory file in which a helper leaves its answers, as one of its two users sees it. Its beginning is mapped,
/// since copying through the kernel takes twice as long; what lies behind goes through the descriptor, so that a
/// helper's share of address space stays its own.
class AnswerMemory {
 public:
  /// A new file that can grow and never shrink: mapped pages stay there whatever the other side does.
  /// Errors  MachineError.
  [[nodiscard]] static int create();

  explicit AnswerMemory(int fd);  ///< does not own `fd`. Errors  MachineError
  AnswerMemory(AnswerMemory&& other) noexcept;
  AnswerMemory& operator=(AnswerMemory&& other) noexcept;
  ~AnswerMemory();

  /// False if the file cannot hold it.
  [[nodiscard]] bool write(std::span<const std::byte> bytes, std::uint64_t offset);
  /// A copy, so that nothing the other side does later matters. Errors  FormatError if the file does not hold it.
  [[nodiscard]] std::vector<std::byte> read(std::uint64_t offset, std::uint64_t size) const;

 private:
  int fd_ = -1;
  std::byte* window_ = nullptr;
};

}  // namespace shiftnorm::imaging::dicom
