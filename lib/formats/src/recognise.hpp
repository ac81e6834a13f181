#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

#include "readers.hpp"

namespace shiftnorm::formats {

/// A kind of file, recognised by its content.
struct Format {
  std::string_view name;  ///< Checkpoint::format
  bool (*matches)(std::span<const std::byte> file);
  /// Those we know but do not read throw UnsupportedError.
  Contents (*read)(std::span<const std::byte> file, const Neighbours& neighbours);
  /// Where the format needs more than bytes put in their place.
  std::vector<OutputFile> (*write)(const Checkpoint& checkpoint, std::span<const Patch> patches,
                                   const std::string& file_name) = write_in_place;
  /// For files that describe a network, with or without values for it.
  Description (*describe)(std::span<const std::byte> file, const Neighbours& neighbours) = describes_nothing;
  bool several_sets = false;  ///< chooses among the sets of weights that a file may hold
};

/// The row of Checkpoint::format.
[[nodiscard]] const Format& format_named(std::string_view name);

/// Nothing for a file. Errors  UnsupportedError naming what a folder is where a file is expected.
void refuse_folder(const std::filesystem::path& folder);

/// Errors  FormatError if the content is of no known kind.
[[nodiscard]] const Format& recognise(std::span<const std::byte> file);

}  // namespace shiftnorm::formats
