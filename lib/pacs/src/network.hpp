#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "association.hpp"
#include "plan.hpp"
#include "shiftnorm/core/progress.hpp"
#include "shiftnorm/pacs/peer.hpp"
#include "stopper.hpp"

class DcmTransportLayer;
struct T_ASC_Network;

namespace shiftnorm::pacs {

/// How we speak to a peer: the same for every association of a pull.
struct Link {
  std::string title;  ///< our AE title
  Peer peer;
  std::optional<Tls> tls;
  int timeout_seconds = 60;  ///< of connecting and of each wait
  Progress progress;         ///< asked between waits whether to stop
};

/// DCMTK's network with its log silenced, since its messages name people, and every timeout set.
/// Errors  MachineError: no such host, no connection, refused, no answer in time; FormatError for bad TLS files.
/// Texts name neither host nor AE title: they say `peer`.
class Network {
 public:
  explicit Network(const Link& link);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  /// Listens too, on the address that faces the peer and no other. MachineError if the port is taken.
  void listen(std::uint16_t port);

  [[nodiscard]] Association request(std::span<const Context> contexts) const;
  /// The association that somebody asks for, if there is one within the time. Every context is accepted, compressed
  /// transfer syntaxes before others. Nothing if it came to none: strangers at the door are not our error.
  [[nodiscard]] std::optional<Association> accept(int milliseconds) const;

 private:
  struct Closer {
    void operator()(T_ASC_Network* network) const;
  };
  void open(bool acceptor);

  const Link& link_;
  std::string address_;  ///< the peer's, in numbers
  Stopper stopper_;
  std::unique_ptr<DcmTransportLayer> layer_;
  std::unique_ptr<T_ASC_Network, Closer> network_;  ///< after layer_: it points there
};

}  // namespace shiftnorm::pacs
