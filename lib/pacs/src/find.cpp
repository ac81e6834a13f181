#include "find.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "dimse.hpp"
#include "shiftnorm/core/parse.hpp"
#include "sop_classes.hpp"

namespace shiftnorm::pacs {
namespace {

constexpr Tag kCharacterSet = 0x00080005, kSopClassUid = 0x00080016, kSopInstanceUid = 0x00080018, kLevel = 0x00080052,
              kModality = 0x00080060, kModalitiesInStudy = 0x00080061, kStudyInstanceUid = 0x0020000D,
              kSeriesInstanceUid = 0x0020000E, kStudyInstances = 0x00201208, kSeriesInstances = 0x00201209;

std::optional<std::int64_t> count_of(const Elements& answer, Tag tag) {
  const std::string text = text_of(answer, tag);
  std::int64_t value = 0;
  if (!parse_whole(text, value) || value < 0) return std::nullopt;
  return value;
}

std::string uid_of(const Elements& answer, Tag tag) {
  std::string uid = text_of(answer, tag);
  if (!is_uid(uid)) throw PeerError("peer: answers a query with an invalid UID; expected digits and dots");
  return uid;
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c < 0x80; });
}

std::string encoded(const Condition& condition) {
  return condition.key->matching == Matching::uid && condition.value != "*" ? padded_uid(condition.value)
                                                                            : padded_text(condition.value);
}

void expect_success(std::string_view level, std::uint16_t status) {
  if (status != kSuccess)
    throw PeerError(
        fmt::format("peer: refuses the query at level {} with status {:04X}; expected 0000", level, status));
}

/// Keeps the first of those with one UID.
void drop_repeated(std::vector<Found>& found) {
  std::set<std::string> seen;
  std::erase_if(found, [&](const Found& one) { return !seen.insert(one.uid).second; });
}

}  // namespace

Finder::Finder(const Network& network, const Query& query)
    : query_(query),
      association_(
          network.request(std::vector<Context>{{std::string(kStudyRootFind), {std::string(kImplicitLittle)}}})) {
  const auto context = association_.context_of(kStudyRootFind);
  if (!context) throw PeerError("peer: offers no C-FIND in the study root; expected an archive that can be queried");
  context_ = *context;
}

std::uint16_t Finder::ask(std::string_view level, Elements keys, const std::function<void(const Elements&)>& take) {
  keys[kLevel] = padded_text(level);
  if (std::ranges::any_of(keys, [](const auto& key) { return !is_ascii(key.second); }))
    keys[kCharacterSet] = padded_text("ISO_IR 192");
  request(association_, context_, Command::find_request, kStudyRootFind, {}, keys);
  for (;;) {
    const auto message = receive(association_);
    if (!message) throw PeerError("peer: closed the connection in the middle of its answers; expected all of them");
    if (message->command() != Command::find_response) throw PeerError("peer: answers something other than a query");
    if (!is_pending(message->status())) {
      skip_data(association_, *message);
      return message->status();
    }
    if (!message->has_data()) throw PeerError("peer: answers a query without a data set");
    take(receive_identifier(association_, *message));
  }
}

bool Finder::meets_all(Level level, const Elements& answer) {
  const bool all = std::ranges::all_of(query_.conditions(), [&](const Condition& condition) {
    return condition.key->level != level || meets(condition, text_of(answer, condition.key->tag));
  });
  if (!all) ++left_out_;
  return all;
}

std::vector<Found> Finder::studies() {
  Elements keys{{kStudyInstanceUid, ""}, {kStudyInstances, ""}, {kModalitiesInStudy, ""}};
  for (const Condition& condition : query_.conditions()) {
    if (condition.key->level == Level::study) keys[condition.key->tag] = encoded(condition);
    // Spares asking for the series of studies that have none of this modality.
    if (condition.key->tag == kModality && keys[kModalitiesInStudy].empty())
      keys[kModalitiesInStudy] = encoded(condition);
  }
  std::vector<Found> found;
  const std::uint16_t status = ask("STUDY", std::move(keys), [&](const Elements& answer) {
    if (meets_all(Level::study, answer))
      found.push_back({uid_of(answer, kStudyInstanceUid), {}, count_of(answer, kStudyInstances)});
  });
  expect_success("STUDY", status);
  drop_repeated(found);
  return found;
}

std::vector<Found> Finder::series(const std::string& study) {
  Elements keys{{kSeriesInstanceUid, ""}, {kSeriesInstances, ""}, {kModality, ""}};
  for (const Condition& condition : query_.conditions())
    if (condition.key->level == Level::series) keys[condition.key->tag] = encoded(condition);
  keys[kStudyInstanceUid] = padded_uid(study);
  std::vector<Found> found;
  const std::uint16_t status = ask("SERIES", std::move(keys), [&](const Elements& answer) {
    if (meets_all(Level::series, answer))
      found.push_back(
          {uid_of(answer, kSeriesInstanceUid), text_of(answer, kModality), count_of(answer, kSeriesInstances)});
  });
  expect_success("SERIES", status);
  drop_repeated(found);
  return found;
}

std::vector<Instance> Finder::instances(const std::string& study, const std::string& series) {
  Elements keys{
      {kStudyInstanceUid, padded_uid(study)}, {kSeriesInstanceUid, padded_uid(series)}, {kSopInstanceUid, ""}};
  for (const bool with_class : {true, false}) {
    if (with_class)
      keys[kSopClassUid] = "";
    else
      keys.erase(kSopClassUid);
    std::vector<Instance> found;
    std::set<std::string> seen;
    const std::uint16_t status = ask("IMAGE", keys, [&](const Elements& answer) {
      Instance one{uid_of(answer, kSopInstanceUid), text_of(answer, kSopClassUid)};
      if (!is_uid(one.sop_class)) one.sop_class.clear();
      if (seen.insert(one.uid).second) found.push_back(std::move(one));
    });
    if (status == kSuccess) return found;
  }
  return {};
}

}  // namespace shiftnorm::pacs
