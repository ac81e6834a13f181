#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace shiftnorm::container {

/// A raw DEFLATE (RFC 1951) stream of unknown size; bytes behind its end are ignored. Nothing if it unpacks to more
/// than `limit` bytes; memory follows what really comes out.
/// Errors  FormatError for damaged or unfinished data.
[[nodiscard]] std::optional<std::vector<std::byte>> inflate_stream(std::span<const std::byte> packed,
                                                                   std::uint64_t limit);

}  // namespace shiftnorm::container
