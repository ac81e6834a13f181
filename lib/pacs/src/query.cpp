#include "shiftnorm/pacs/query.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "elements.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::pacs {
namespace {

using enum Level;
using enum Matching;

constexpr std::array kKeys{
    QueryKey{"AccessionNumber", 0x00080050, study, text},
    QueryKey{"BodyPartExamined", 0x00180015, series, text},
    QueryKey{"InstitutionName", 0x00080080, series, text},
    QueryKey{"InstitutionalDepartmentName", 0x00081040, series, text},
    QueryKey{"IssuerOfPatientID", 0x00100021, study, text},
    QueryKey{"Laterality", 0x00200060, series, text},
    QueryKey{"Manufacturer", 0x00080070, series, text},
    QueryKey{"ManufacturerModelName", 0x00081090, series, text},
    QueryKey{"ModalitiesInStudy", 0x00080061, study, text},
    QueryKey{"Modality", 0x00080060, series, text},
    QueryKey{"OperatorsName", 0x00081070, series, text},
    QueryKey{"PatientBirthDate", 0x00100030, study, date},
    QueryKey{"PatientID", 0x00100020, study, text},
    QueryKey{"PatientName", 0x00100010, study, text},
    QueryKey{"PatientSex", 0x00100040, study, text},
    QueryKey{"PerformedProcedureStepStartDate", 0x00400244, series, date},
    QueryKey{"PerformingPhysicianName", 0x00081050, series, text},
    QueryKey{"ProtocolName", 0x00181030, series, text},
    QueryKey{"ReferringPhysicianName", 0x00080090, study, text},
    QueryKey{"SeriesDate", 0x00080021, series, date},
    QueryKey{"SeriesDescription", 0x0008103E, series, text},
    QueryKey{"SeriesInstanceUID", 0x0020000E, series, uid},
    QueryKey{"SeriesNumber", 0x00200011, series, text},
    QueryKey{"SeriesTime", 0x00080031, series, time},
    QueryKey{"StationName", 0x00081010, series, text},
    QueryKey{"StudyDate", 0x00080020, study, date},
    QueryKey{"StudyDescription", 0x00081030, study, text},
    QueryKey{"StudyID", 0x00200010, study, text},
    QueryKey{"StudyInstanceUID", 0x0020000D, study, uid},
    QueryKey{"StudyTime", 0x00080030, study, time},
};
static_assert(std::ranges::is_sorted(kKeys, {}, &QueryKey::keyword), "the nearest key is found in a sorted list");

std::string number_form(const QueryKey& key) { return fmt::format("{:04x},{:04x}", key.tag >> 16, key.tag & 0xFFFF); }

const QueryKey& find_key(std::string_view name) {
  const std::string lower = lower_case(std::string(name));
  std::vector<std::string> keywords;
  for (const QueryKey& key : kKeys) {
    if (key.keyword == name || number_form(key) == lower) return key;
    keywords.emplace_back(key.keyword);
  }
  const std::string near = nearest(name, keywords);
  throw ConfigError(fmt::format("{}: is not a query key{}; expected one of {}", printable(name, 40),
                                near.empty() ? "" : fmt::format(" (nearest is '{}')", near),
                                join(keywords, keywords.size())));
}

/// Calls `one` for each part between separators.
template <class F>
bool any_part(std::string_view text, char separator, F one) {
  for (;;) {
    const std::size_t end = text.find(separator);
    if (one(text.substr(0, end))) return true;
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
  }
}

bool is_date(std::string_view text) {
  return text.size() == 8 && std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
}

bool is_date_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return is_date(text);
  const std::string_view from = text.substr(0, dash), to = text.substr(dash + 1);
  return (from.empty() || is_date(from)) && (to.empty() || is_date(to)) && !(from.empty() && to.empty());
}

void check_value(const Condition& condition) {
  const auto refuse = [&](std::string_view expected) {
    throw ConfigError(fmt::format("{}: a value that cannot be matched; expected {}", condition.key->keyword, expected));
  };
  const std::string& value = condition.value;
  if (value.empty()) refuse("one after the '=', or * for any");
  if (std::ranges::any_of(value, [](unsigned char c) { return c < ' ' || c == 0x7F; })) refuse("no control characters");
  if (value == "*") return;
  switch (condition.key->matching) {
    case uid:
      if (any_part(value, '\\', [](std::string_view part) { return !is_uid(part); }))
        refuse("UIDs, apart by backslashes");
      break;
    case date:
      if (!is_date_range(value)) refuse("YYYYMMDD or a range such as YYYYMMDD-YYYYMMDD");
      break;
    case text:
    case time:
      if (value.find('\\') != std::string::npos) refuse("one value; UIDs alone may be several");
  }
}

bool same_letter(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

/// * and ?; steps back to the last star only, so that no pattern takes more than pattern times text.
bool matches_wildcards(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || same_letter(pattern[p], text[t]))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool in_date_range(std::string_view range, std::string_view day) {
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return day == range;
  const std::string_view from = range.substr(0, dash), to = range.substr(dash + 1);
  return !day.empty() && (from.empty() || from <= day) && (to.empty() || day <= to);
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c < 0x80; });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

}  // namespace

Query::Query(std::span<const std::string> texts) {
  if (texts.empty()) throw ConfigError("no condition; expected KEY=VALUE, such as Modality=DX, at least once");
  for (const std::string& one : texts) {
    const std::size_t equals = one.find('=');
    if (equals == std::string::npos || equals == 0)
      throw ConfigError("a condition without KEY= before its value; expected KEY=VALUE, such as Modality=DX");
    Condition condition{&find_key(std::string_view(one).substr(0, equals)), one.substr(equals + 1)};
    check_value(condition);
    if (std::ranges::find(conditions_, condition.key, &Condition::key) != conditions_.end())
      throw ConfigError(
          fmt::format("{}: given twice; expected once (pulls into one folder add up)", condition.key->keyword));
    conditions_.push_back(std::move(condition));
  }
}

bool Query::has(Level level) const {
  return std::ranges::any_of(conditions_, [&](const Condition& c) { return c.key->level == level; });
}

bool meets(const Condition& condition, std::string_view answer) {
  const std::string_view value = condition.value;
  if (value == "*") return true;
  if (!is_ascii(value) || !is_ascii(answer)) return true;
  const auto answers = [&](auto one) {
    return any_part(answer, '\\', [&](std::string_view part) { return one(trimmed(part)); });
  };
  switch (condition.key->matching) {
    case uid:
      return answers([&](std::string_view a) {
        return any_part(value, '\\', [&](std::string_view wanted) { return wanted == a; });
      });
    case date: return answers([&](std::string_view a) { return in_date_range(value, a); });
    case time: return true;
    case text: return answers([&](std::string_view a) { return matches_wildcards(trimmed(value), a); });
  }
  return false;
}

}  // namespace shiftnorm::pacs
