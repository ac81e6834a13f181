#include "dicom/listing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <unordered_map>

#include "dicom/sniff.hpp"
#include "shiftnorm/core/parallel.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

namespace fs = std::filesystem;

/// `._x.dcm` is what macOS leaves beside x.dcm.
bool named_dcm(const Source& source) {
  const std::string name = source.shown.substr(source.shown.find_last_of("/!") + 1);
  return lower_case(name).ends_with(".dcm") && !name.starts_with("._");
}

bool matches(std::span<const std::byte> head, std::size_t at, std::string_view text) {
  return head.size() >= at + text.size() &&
         std::ranges::equal(head.subspan(at, text.size()), text,
                            [](std::byte b, char c) { return static_cast<char>(b) == c; });
}

/// What became of one source.
struct Outcome {
  std::optional<Found> image;
  std::optional<Listing::Left> skipped, bad;
};

class Lister {
 public:
  Lister(const DatasetOptions& options, HelperPool& pool) : options_(options), pool_(pool) {
    for (const auto& [tag, values] : options.dicom.where) tags_.push_back(tag);
    tags_.insert(tags_.end(), options.keep.begin(), options.keep.end());
    if (!options.dicom.label.tag.empty()) tags_.push_back(options.dicom.label.tag);
  }

  Outcome look_at(const Source& source) {
    Outcome outcome;
    const std::vector<std::byte> head = source.member < 0 ? head_of(source.path) : std::vector<std::byte>();
    if (source.member < 0 && !looks_like_dicom(head)) {
      std::error_code ignored;
      if (head.empty() && fs::file_size(source.path, ignored) > 0) {
        outcome.bad = unreadable(source, "file");
        return outcome;
      }
      if (named_dcm(source))
        outcome.bad = left(source, "not-dicom: named .dcm but not a DICOM object", "not-dicom");
      else
        outcome.skipped = left(source, "not-dicom", "");
      return outcome;
    }
    try {
      const Answer answer = pool_.ask({Task::facts, source.path, source.member, 0, tags_});
      if (!answer.facts.skip.empty())
        outcome.skipped = left(source, answer.facts.skip, "");
      else if (!wanted(answer.facts))
        outcome.skipped = left(source, "where", "");
      else
        outcome.image = Found{source, answer.facts, answer.stamp};
    } catch (const Fault& fault) {
      // A file of another kind may begin like a data set; its name says whether it was meant as one.
      if (fault.reason() == Reason::not_dicom && !named_dcm(source))
        outcome.skipped = left(source, "not-dicom", "");
      else
        outcome.bad = left(source, fault.what(), std::string(name_of(fault.reason())), fault.offset());
    }
    return outcome;
  }

  /// The members of an archive as sources of their own; what may not be unpacked comes back as bad.
  std::vector<Source> members_of(const Source& archive, Listing& listing) {
    std::vector<Source> sources;
    try {
      const Answer answer = pool_.ask({Task::members, archive.path, -1, 0, {}});
      for (std::size_t i = 0; i < answer.members.size(); ++i) {
        const ArchiveMember& member = answer.members[i];
        if (member.name.ends_with('/')) continue;
        Source source = archive;
        source.member = static_cast<std::int64_t>(i);
        source.shown += "!" + member.name;
        if (member.refusal.empty())
          sources.push_back(std::move(source));
        else
          listing.bad.push_back(left(source, "limit: " + member.refusal, "limit"));
      }
    } catch (const Fault&) {
      listing.skipped.push_back(left(archive, "not-dicom", ""));
    }
    return sources;
  }

  /// Of objects with one SOPInstanceUID the first stays.
  void resolve_duplicates(Listing& listing) {
    std::unordered_map<std::string, std::size_t> first;
    std::vector<Found> kept;
    for (Found& found : listing.images) {
      const std::string& uid = found.facts.sop_instance;
      if (uid.empty() || first.emplace(uid, kept.size()).second) {
        kept.push_back(std::move(found));
        continue;
      }
      try {
        if (stored_hash(kept[first[uid]].source) == stored_hash(found.source))
          listing.skipped.push_back(left(found.source, "duplicate", ""));
        else
          listing.bad.push_back(left(found.source, "uid-conflict: other pixels under a UID that was seen before",
                                     std::string(name_of(Reason::uid_conflict))));
      } catch (const Fault& fault) {
        listing.bad.push_back(left(found.source, fault.what(), std::string(name_of(fault.reason())), fault.offset()));
      }
    }
    listing.images = std::move(kept);
  }

  /// Nobody knows what it may hold: it must not pass for a file of another kind.
  static Listing::Left unreadable(const Source& source, std::string_view what) {
    const Fault fault(Reason::changed_while_read, fmt::format("the {} cannot be opened", what));
    return left(source, fault.what(), std::string(name_of(fault.reason())));
  }

 private:
  static Listing::Left left(const Source& source, std::string reason, std::string kind,
                            std::optional<std::uint64_t> offset = std::nullopt) {
    return {source, std::move(reason), std::move(kind), offset, {}};
  }

  std::string stored_hash(const Source& source) {
    return pool_.ask({Task::stored, source.path, source.member, 0, {}}).stored_sha256;
  }

  /// Every filter must accept the whole value or one of its parts.
  [[nodiscard]] bool wanted(const ObjectFacts& facts) const {
    std::size_t i = 0;
    for (const auto& [tag, values] : options_.dicom.where) {
      const std::string found = comparable(facts.tags.at(i++));
      const bool accepted =
          std::ranges::any_of(values, [&](const std::string& value) { return has_value(found, comparable(value)); });
      if (!accepted) return false;
    }
    return true;
  }

  const DatasetOptions& options_;
  HelperPool& pool_;
  std::vector<std::string> tags_;
};

}  // namespace

std::string comparable(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
    out += c;
  }
  if (out.ends_with(' ')) out.pop_back();
  return lower_case(std::move(out));
}

bool has_value(std::string_view text, std::string_view value) {
  return fmt::format("\\{}\\", text).find(fmt::format("\\{}\\", value)) != std::string::npos;
}

std::vector<std::byte> head_of(const fs::path& file) {
  std::vector<std::byte> head(kHead);
  std::ifstream stream(file, std::ios::binary);
  stream.read(reinterpret_cast<char*>(head.data()), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(stream.gcount()));
  return head;
}

bool has_zip_magic(std::span<const std::byte> head) { return matches(head, 0, "PK\x03\x04"); }

Listing list_objects(const fs::path& where, const DatasetOptions& options, HelperPool& pool) {
  Listing listing;
  Lister lister(options, pool);
  SourceWalk walk = walk_sources(where);
  std::vector<Source> sources;
  for (Source& source : walk.sources) {
    if (!has_zip_magic(head_of(source.path))) {
      sources.push_back(std::move(source));
      continue;
    }
    for (Source& member : lister.members_of(source, listing)) sources.push_back(std::move(member));
  }
  for (SourceWalk::Passed& passed : walk.passed)
    listing.skipped.push_back({std::move(passed.source), std::move(passed.reason), {}, std::nullopt, {}});
  for (const Source& folder : walk.closed) listing.bad.push_back(Lister::unreadable(folder, "folder"));
  std::vector<Outcome> outcomes(sources.size());
  for_each_parallel(sources.size(), options.threads, [&](std::size_t i) { outcomes[i] = lister.look_at(sources[i]); });
  for (Outcome& outcome : outcomes) {
    if (outcome.image) listing.images.push_back(std::move(*outcome.image));
    if (outcome.skipped) listing.skipped.push_back(std::move(*outcome.skipped));
    if (outcome.bad) listing.bad.push_back(std::move(*outcome.bad));
  }
  lister.resolve_duplicates(listing);
  return listing;
}

}  // namespace shiftnorm::imaging::dicom
