#include "retrieve.hpp"

#include <fmt/format.h>

#include <chrono>

#include "sop_classes.hpp"

namespace shiftnorm::pacs {
namespace {

constexpr Tag kSopInstanceUid = 0x00080018, kLevel = 0x00080052, kStudyInstanceUid = 0x0020000D,
              kSeriesInstanceUid = 0x0020000E;
constexpr std::uint16_t kNotWanted = 0xA900, kUnknownCommand = 0x0211;  // PS3.4 B.2.3, PS3.7 C

Elements identifier_of(const Retrieval& retrieval) {
  Elements keys{{kLevel, padded_text(retrieval.objects.empty() ? "SERIES" : "IMAGE")},
                {kStudyInstanceUid, padded_uid(retrieval.study)},
                {kSeriesInstanceUid, padded_uid(retrieval.series)}};
  if (!retrieval.objects.empty())
    keys[kSopInstanceUid] = padded_uid(fmt::format("{}", fmt::join(retrieval.objects, "\\")));
  return keys;
}

Outcome outcome_of(const Message& response) {
  return {response.status(), number_of(response.elements, tag::kFailed).value_or(0)};
}

std::uint8_t context_for(const Association& association, std::string_view service, std::string_view name) {
  const auto context = association.context_of(service);
  if (!context)
    throw PeerError(fmt::format("peer: offers no {} in the study root; expected it, or another --method", name));
  return *context;
}

}  // namespace

void Intake::serve(Association& association, const Message& message) {
  if (message.command() == Command::echo_request) {
    skip_data(association, message);
    respond(association, message, Command::echo_response, kSuccess);
    return;
  }
  if (message.command() != Command::store_request || !message.has_data()) {
    skip_data(association, message);
    const auto answer = number_of(message.elements, tag::kCommand).value_or(0) | 0x8000;
    respond(association, message, static_cast<Command>(answer), kUnknownCommand);
    return;
  }
  const ObjectFacts facts{text_of(message.elements, tag::kSopClass), text_of(message.elements, tag::kSopInstance),
                          association.agreed().at(message.context).transfer_syntax};
  const bool wanted = is_uid(facts.sop_class) && is_uid(facts.sop_instance) && is_uid(facts.transfer_syntax) &&
                      (expected.empty() || expected.contains(facts.sop_instance));
  if (!wanted) {
    skip_data(association, message);
    ++refused;
    respond(association, message, Command::store_response, kNotWanted);
    return;
  }
  const auto object = store.begin(series, facts);
  receive_data(association, message, [&](std::span<const std::byte> bytes) { object->add(bytes); });
  object->keep();
  if (stored.insert(facts.sop_instance).second) stored_one();
  respond(association, message, Command::store_response, kSuccess);
}

Outcome get(Association& association, const Retrieval& retrieval, Intake& intake) {
  const std::uint8_t context = context_for(association, kStudyRootGet, "C-GET");
  request(association, context, Command::get_request, kStudyRootGet, {}, identifier_of(retrieval));
  for (;;) {
    const auto message = receive(association);
    if (!message) throw PeerError("peer: closed the connection while it was sending; expected the end of its answer");
    if (message->command() != Command::get_response) {
      intake.serve(association, *message);
      continue;
    }
    skip_data(association, *message);
    if (!is_pending(message->status())) return outcome_of(*message);
  }
}

/// Whether anything happened.
bool Mover::serve_visitors(Intake& intake) {
  bool busy = false;
  for (auto visitor = visitors_.begin(); visitor != visitors_.end();) {
    if (!visitor->ready()) {
      ++visitor;
      continue;
    }
    busy = true;
    bool gone = false;
    try {
      const auto message = receive(*visitor);
      if (message)
        intake.serve(*visitor, *message);
      else
        gone = true;
    } catch (const PeerError&) {
      gone = true;  // what it failed to bring, the archive counts as failed
    }
    visitor = gone ? visitors_.erase(visitor) : visitor + 1;
  }
  return busy;
}

Outcome Mover::move(Association& association, const Retrieval& retrieval, Intake& intake) {
  constexpr int kIdleMilliseconds = 5;  // between looks; a transfer of an object takes as long
  const std::uint8_t context = context_for(association, kStudyRootMove, "C-MOVE");
  request(association, context, Command::move_request, kStudyRootMove,
          {{tag::kMoveDestination, padded_text(link_.title)}}, identifier_of(retrieval));
  auto last = std::chrono::steady_clock::now();
  for (;;) {
    link_.progress.check();
    bool busy = serve_visitors(intake);
    if (!busy && association.ready()) {
      const auto message = receive(association);
      if (!message) throw PeerError("peer: closed the connection while it was sending; expected the end of its answer");
      if (message->command() != Command::move_response) throw PeerError("peer: answers something other than a C-MOVE");
      skip_data(association, *message);
      if (!is_pending(message->status())) {
        serve_visitors(intake);
        return outcome_of(*message);
      }
      busy = true;
    }
    if (auto visitor = network_.accept(busy ? 0 : kIdleMilliseconds)) {
      visitors_.push_back(std::move(*visitor));
      busy = true;
    }
    const auto now = std::chrono::steady_clock::now();
    if (busy) last = now;
    if (now - last > std::chrono::seconds(link_.timeout_seconds))
      throw PeerError(
          fmt::format("peer: has sent nothing for {} s; expected it to know our AE title, this machine and --move-port",
                      link_.timeout_seconds));
  }
}

}  // namespace shiftnorm::pacs
