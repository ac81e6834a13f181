#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace shiftnorm::pacs {

/// A DICOM application and where it listens.
struct Peer {
  std::string title;  ///< its AE title
  std::string host;
  std::uint16_t port = 0;
};

/// Reads `AET@HOST:PORT`. Errors  ConfigError, which repeats nothing of the text: a value may have slipped into it.
[[nodiscard]] Peer parse_peer(std::string_view text);

/// An AE title as PS3.5 has it: 1 to 16 printable ASCII characters, no backslash, spaces around it dropped.
/// Errors  ConfigError.
[[nodiscard]] std::string parse_title(std::string_view text);

/// PEM files for TLS. Key and certificate are ours and go together; the authority has signed the peer's.
struct Tls {
  std::filesystem::path key, certificate, authority;
};

}  // namespace shiftnorm::pacs
