#include "shiftnorm/pacs/peer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/parse.hpp"

namespace shiftnorm::pacs {

std::string parse_title(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  constexpr std::size_t kLongest = 16;  // PS3.5, VR AE
  if (text.empty() || text.size() > kLongest)
    throw ConfigError(fmt::format("an AE title of {} characters; expected 1 to {}",
                                  std::min<std::size_t>(text.size(), 999), kLongest));
  if (!std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~' && c != '\\'; }))
    throw ConfigError("an AE title with other than printable ASCII characters; expected none, and no backslash");
  return std::string(text);
}

Peer parse_peer(std::string_view text) {
  const std::size_t at = text.rfind('@'), colon = text.rfind(':');
  if (at == std::string_view::npos || colon == std::string_view::npos || colon < at || colon == at + 1)
    throw ConfigError("is not the address of an archive; expected AET@HOST:PORT, such as ORTHANC@pacs.example:4242");
  Peer peer;
  peer.title = parse_title(text.substr(0, at));
  peer.host = text.substr(at + 1, colon - at - 1);
  const std::string_view port = text.substr(colon + 1);
  if (!parse_whole(port, peer.port) || peer.port == 0)
    throw ConfigError("the port is not a number from 1 to 65535; expected AET@HOST:PORT");
  return peer;
}

}  // namespace shiftnorm::pacs
