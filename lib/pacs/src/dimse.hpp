#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "association.hpp"
#include "elements.hpp"

namespace shiftnorm::pacs {

/// Command fields of PS3.7 E.1 that a pull says or hears.
enum class Command : std::uint16_t {
  store_request = 0x0001,
  store_response = 0x8001,
  get_request = 0x0010,
  get_response = 0x8010,
  find_request = 0x0020,
  find_response = 0x8020,
  move_request = 0x0021,
  move_response = 0x8021,
  echo_request = 0x0030,
  echo_response = 0x8030,
};

/// Elements of command sets.
namespace tag {
inline constexpr Tag kGroupLength = 0x00000000, kSopClass = 0x00000002, kCommand = 0x00000100, kMessage = 0x00000110,
                     kRespondedTo = 0x00000120, kMoveDestination = 0x00000600, kPriority = 0x00000700,
                     kDataSetType = 0x00000800, kStatus = 0x00000900, kSopInstance = 0x00001000,
                     kRemaining = 0x00001020, kCompleted = 0x00001021, kFailed = 0x00001022, kWarnings = 0x00001023;
}

inline constexpr std::uint16_t kSuccess = 0x0000;
/// Pending: another answer follows. The second says that some keys were not matched.
[[nodiscard]] inline bool is_pending(std::uint16_t status) { return status == 0xFF00 || status == 0xFF01; }

/// A command set; its data set, if it has one, is still to be received.
struct Message {
  std::uint8_t context = 0;
  Elements elements;
  [[nodiscard]] Command command() const;
  [[nodiscard]] bool has_data() const;
  /// Errors  PeerError if a response has none.
  [[nodiscard]] std::uint16_t status() const;
};

/// The next message; nothing once the peer has parted. We read commands ourselves: DCMTK's parser would follow nested
/// sequences of a hostile peer until the stack ends.
/// Errors  as Association.
[[nodiscard]] std::optional<Message> receive(Association& association);

/// The message's data set, piece by piece as it comes; whatever its encoding.
void receive_data(Association& association, const Message& message,
                  const std::function<void(std::span<const std::byte>)>& sink);
/// A data set in Implicit VR Little Endian of at most a megabyte: an answer to a query.
[[nodiscard]] Elements receive_identifier(Association& association, const Message& message);
/// Reads and drops the data set, if there is one.
void skip_data(Association& association, const Message& message);

/// Completes the command set and sends it, with its identifier.
void request(Association& association, std::uint8_t context, Command command, std::string_view sop_class, Elements more,
             const Elements& identifier);
/// Answers a request of the peer's.
void respond(Association& association, const Message& to, Command command, std::uint16_t status);

}  // namespace shiftnorm::pacs
