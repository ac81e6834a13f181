#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/core/names.hpp"
#include "shiftnorm/core/progress.hpp"
#include "shiftnorm/pacs/peer.hpp"
#include "shiftnorm/pacs/query.hpp"

namespace shiftnorm::pacs {

enum class Method { get, move };
inline constexpr auto kMethods = names<Named<Method>>("method", {{"get", Method::get}, {"move", Method::move}});

struct PullOptions {
  Peer peer;
  std::string title;  ///< ours, by which the peer knows us
  Query query;
  std::filesystem::path out;
  std::filesystem::path key_folder;  ///< its .shiftnorm/key makes the names; made if there is none
  Method method = Method::get;
  std::uint16_t move_port = 0;  ///< where the peer sends to with Method::move; it must know that
  std::optional<Tls> tls;       ///< for associations in both directions
  std::uint64_t max_bytes = 0;  ///< of the objects in `out`; 0: any
  int timeout_seconds = 60;     ///< of connecting and of each wait
  bool dry_run = false;         ///< counts what matches; writes nothing
};

/// Studies, series or objects.
struct PullCounts {
  std::int64_t matching = 0;
  std::int64_t received = 0;  ///< by this call, completely
  std::int64_t already = 0;   ///< there before
  std::int64_t failed = 0;    ///< not there, or not completely
};

struct PullResult {
  PullCounts studies, series, objects;
  bool objects_known = true;  ///< false: the archive did not say how many objects some series have
  std::uint64_t bytes = 0;    ///< received
  double seconds = 0;         ///< that it took
  std::map<std::string, std::int64_t> transfer_syntaxes;  ///< objects received, by UID
  std::uint16_t last_failure = 0;                         ///< DIMSE status of the last series that failed
  std::vector<std::string> notes;                         ///< what the user should know
};

/// A DIMSE status for people: "A801 (it does not know where to send to)".
[[nodiscard]] std::string describe_status(std::uint16_t status);

/// Fetches the studies that match, one at a time, into `out` (see lib/pacs/README.md); what an earlier call completed
/// there is not fetched again. Objects are stored with the bytes of their data set as they came.
/// A series that the archive fails to send whole is counted as failed, and the others still come.
/// Errors  ConfigError: another pull works in `out`, or its names were made with another key; FormatError: bad TLS or
/// state file; MachineError: peer, network, disk, budget; Interrupted. What was complete before them is kept.
/// No text of a result or error names a person, a UID, a host or a path.
[[nodiscard]] PullResult pull(const PullOptions& options, const Progress& progress);

}  // namespace shiftnorm::pacs
