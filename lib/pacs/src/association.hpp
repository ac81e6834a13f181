#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "shiftnorm/core/error.hpp"

struct T_ASC_Association;

namespace shiftnorm::pacs {

struct Link;

/// The peer, not this machine, failed us.
class PeerError : public MachineError {
 public:
  using MachineError::MachineError;
};

/// What a context was agreed to be.
struct Agreed {
  std::string abstract_syntax, transfer_syntax;
};

/// A piece of a message. `data` is good until the next piece is asked for.
struct Piece {
  std::uint8_t context = 0;
  bool command = false, last = false;
  std::span<const std::byte> data;
};

/// An open association; broken off by its destructor unless it was released.
/// Errors  PeerError: the peer breaks off, is silent for longer than the timeout, or sends what is not DICOM;
/// Interrupted.
class Association {
 public:
  /// `socket`: the one underneath.
  Association(T_ASC_Association* association, const Link& link, int socket);

  [[nodiscard]] const std::map<std::uint8_t, Agreed>& agreed() const { return agreed_; }
  /// The context of an abstract syntax; nothing if the peer did not accept any.
  [[nodiscard]] std::optional<std::uint8_t> context_of(std::string_view abstract_syntax) const;

  /// The next piece; nothing once the peer has asked to part, which was then agreed to.
  [[nodiscard]] std::optional<Piece> next();
  /// Whether next() would not wait.
  [[nodiscard]] bool ready() const;
  void send(std::uint8_t context, bool command, std::string bytes);
  void release();
  [[nodiscard]] std::uint16_t next_message() { return ++messages_; }

 private:
  struct Breaker {
    void operator()(T_ASC_Association* association) const;
  };
  void wait() const;

  std::unique_ptr<T_ASC_Association, Breaker> association_;
  const Link* link_;
  int socket_;
  std::map<std::uint8_t, Agreed> agreed_;
  std::uint16_t messages_ = 0;
};

}  // namespace shiftnorm::pacs
