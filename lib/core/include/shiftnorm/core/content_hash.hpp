#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace shiftnorm {

/// 128 bits of a byte string as 32 lower-case digits, at about the speed of reading it. Two strings that chance made
/// share theirs once in 2^64 pairs; it is no defence against somebody who looks for such a pair. Not kept in files: it
/// may change, and depends on the machine's byte order.
[[nodiscard]] std::string content_hash(std::span<const std::byte> bytes);

/// Whether every item of `size` bytes is the same as the first; true for none.
[[nodiscard]] bool all_alike(std::span<const std::byte> bytes, std::size_t size);

}  // namespace shiftnorm
