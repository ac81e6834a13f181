#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace shiftnorm::container {

/// One plain file of a tar archive. The name is the archive's, not trusted, and names nothing on this machine.
struct TarMember {
  std::string name;
  std::uint64_t data_offset = 0, size = 0;  ///< inside the archive
};

/// Reads the headers of a tar archive (POSIX ustar, GNU). Folders, links and extended headers are passed over.
/// Errors  FormatError for a bad checksum, a number that is none, or a member that leaves the archive.
[[nodiscard]] std::vector<TarMember> index_tar(std::span<const std::byte> file);

}  // namespace shiftnorm::container
