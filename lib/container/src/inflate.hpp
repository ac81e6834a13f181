#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace shiftnorm::container {

/// Raw DEFLATE (RFC 1951) data that must unpack to exactly `size` bytes.
/// Memory is taken only after checking that the data could hold so much.
/// Errors  FormatError.
[[nodiscard]] std::vector<std::byte> inflate_raw(std::span<const std::byte> packed, std::uint64_t size);

}  // namespace shiftnorm::container
