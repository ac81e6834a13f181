#include "dimse.hpp"

#include "shiftnorm/core/file.hpp"

namespace shiftnorm::pacs {
namespace {

constexpr std::uint16_t kNoData = 0x0101;
constexpr std::size_t kLargestCommand = std::size_t{64} << 10, kLargestIdentifier = std::size_t{1} << 20;

[[noreturn]] void out_of_order() {
  throw PeerError("peer: sends messages out of order; expected a command, then its data");
}

Elements parsed(const std::string& bytes) {
  try {
    return decode(as_bytes(bytes));
  } catch (const FormatError& e) {
    throw PeerError(std::string("peer: ") + e.what());
  }
}

void append(std::string& bytes, const Piece& piece, std::size_t most) {
  if (piece.data.size() > most - bytes.size())
    throw PeerError("peer: sends a message without end; expected at most a megabyte for an answer");
  bytes.append(as_text(piece.data));
}

void send(Association& association, std::uint8_t context, Elements command, const Elements* identifier) {
  command[tag::kDataSetType] = number(identifier != nullptr ? 0x0001 : kNoData);
  command.erase(tag::kGroupLength);
  const auto length = static_cast<std::uint32_t>(encode(command).size());
  command[tag::kGroupLength] =
      number(static_cast<std::uint16_t>(length & 0xFFFF)) + number(static_cast<std::uint16_t>(length >> 16));
  association.send(context, true, encode(command));
  if (identifier != nullptr) association.send(context, false, encode(*identifier));
}

}  // namespace

Command Message::command() const { return static_cast<Command>(number_of(elements, tag::kCommand).value_or(0)); }

bool Message::has_data() const { return number_of(elements, tag::kDataSetType).value_or(kNoData) != kNoData; }

std::uint16_t Message::status() const {
  const auto status = number_of(elements, tag::kStatus);
  if (!status) throw PeerError("peer: answers without a status");
  return *status;
}

std::optional<Message> receive(Association& association) {
  std::string bytes;
  for (;;) {
    const auto piece = association.next();
    if (!piece) {
      if (bytes.empty()) return std::nullopt;
      out_of_order();
    }
    if (!piece->command || !association.agreed().contains(piece->context)) out_of_order();
    append(bytes, *piece, kLargestCommand);
    if (piece->last) return Message{piece->context, parsed(bytes)};
  }
}

void receive_data(Association& association, const Message& message,
                  const std::function<void(std::span<const std::byte>)>& sink) {
  for (;;) {
    const auto piece = association.next();
    if (!piece || piece->command || piece->context != message.context) out_of_order();
    sink(piece->data);
    if (piece->last) return;
  }
}

Elements receive_identifier(Association& association, const Message& message) {
  std::string bytes;
  receive_data(association, message, [&](std::span<const std::byte> data) {
    append(bytes, {0, false, false, data}, kLargestIdentifier);
  });
  return parsed(bytes);
}

void skip_data(Association& association, const Message& message) {
  if (message.has_data()) receive_data(association, message, [](std::span<const std::byte>) {});
}

void request(Association& association, std::uint8_t context, Command command, std::string_view sop_class, Elements more,
             const Elements& identifier) {
  more[tag::kSopClass] = padded_uid(sop_class);
  more[tag::kCommand] = number(static_cast<std::uint16_t>(command));
  more[tag::kMessage] = number(association.next_message());
  more[tag::kPriority] = number(0);
  send(association, context, std::move(more), &identifier);
}

void respond(Association& association, const Message& to, Command command, std::uint16_t status) {
  Elements answer;
  for (const Tag same : {tag::kSopClass, tag::kSopInstance})
    if (const auto found = to.elements.find(same); found != to.elements.end()) answer.insert(*found);
  answer[tag::kCommand] = number(static_cast<std::uint16_t>(command));
  answer[tag::kRespondedTo] = number(number_of(to.elements, tag::kMessage).value_or(0));
  answer[tag::kStatus] = number(status);
  send(association, to.context, std::move(answer), nullptr);
}

}  // namespace shiftnorm::pacs
