#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "readers.hpp"

namespace shiftnorm::formats {

/// A kind of file, told by its content.
struct Format {
  std::string_view name;  ///< Checkpoint::format
  bool (*matches)(std::span<const std::byte> file);
  Contents (*read)(std::span<const std::byte> file);  ///< those we know but do not read throw UnsupportedError
};

/// Errors  FormatError if the content is of no known kind.
[[nodiscard]] const Format& recognise(std::span<const std::byte> file);

}  // namespace shiftnorm::formats
