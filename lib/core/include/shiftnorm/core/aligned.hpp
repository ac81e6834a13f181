#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <vector>

namespace shiftnorm {

/// Alignment of everything that kernels touch: one cache line, one AVX-512 register.
inline constexpr std::size_t kAlignment = 64;

/// Allocator for std::vector with kAlignment.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) noexcept {}
  T* allocate(std::size_t n) {
    if (n > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
    return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{kAlignment}));
  }
  void deallocate(T* p, std::size_t) noexcept { ::operator delete (p, std::align_val_t{kAlignment}); }
  friend bool operator==(AlignedAllocator, AlignedAllocator) { return true; }
};

template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

/// A block of zeroed memory taken straight from the kernel, with huge pages asked for: large arenas whose pages
/// are only paid for when touched. Move-only. With a scratch directory the memory is backed by an unlinked file
/// there, so that the kernel can write it out under pressure; the file is gone when the process ends, however it ends.
/// Errors  MachineError when the kernel refuses (memory or disk).
class Arena {
 public:
  Arena() = default;
  explicit Arena(std::size_t bytes, const char* scratch_directory = nullptr);
  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&& other) noexcept;
  ~Arena();
  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace shiftnorm
