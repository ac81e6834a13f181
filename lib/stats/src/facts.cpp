#include "facts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/library.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::stats {
namespace {

struct FactText {
  std::string_view key;
  std::string MeasuredFacts::*member;
  std::string_view same = {};  ///< what messages call it where parts must have it in common; empty: they may differ
};
constexpr FactText kTexts[] = {
    {"model_sha256", &MeasuredFacts::model_sha256, "model"},
    {"architecture", &MeasuredFacts::architecture, "architecture"},
    {"weights", &MeasuredFacts::weights, "weights"},
    {"preprocess", &MeasuredFacts::preprocess},
    {"preprocess_steps", &MeasuredFacts::preprocess_steps},
    {"preprocess_sha256", &MeasuredFacts::preprocess_sha256, "preprocessing"},
    {"drawn", &MeasuredFacts::drawn},
    {"shift", &MeasuredFacts::shift, "shift"},
    {"instruction_set", &MeasuredFacts::instruction_set, "instruction set"},
    {"program_version", &MeasuredFacts::program_version},
    {"libraries", &MeasuredFacts::libraries},
};

std::string or_none(const std::string& text) { return text.empty() ? "none" : text; }

std::optional<std::int64_t> patients_of(std::span<const NamedFacts> parts) {
  std::optional<std::int64_t> sum;
  for (const NamedFacts& part : parts)
    if (part.facts->patients) sum = std::min(kMostCounted, sum.value_or(0) + *part.facts->patients);
  return sum;
}

/// What the parts say of themselves, each text once; `absent` represents a part that says nothing beside others that
/// do.
std::string all_of(std::span<const NamedFacts> parts, std::string MeasuredFacts::*text, std::string_view absent) {
  std::set<std::string> said;
  for (const NamedFacts& part : parts) said.insert(part.facts->*text);
  if (said.size() == 1) return *said.begin();
  std::string all;
  for (const std::string& one : said) all += (all.empty() ? "" : "; ") + (one.empty() ? std::string(absent) : one);
  return all;
}

/// Each library once, with the versions that the parts name: "oneDNN 2.6.3|3.1.0".
std::string libraries_of(std::span<const NamedFacts> parts) {
  std::map<std::string, std::set<std::string>> versions;
  for (const NamedFacts& part : parts)
    for (Library& one : parse_libraries(part.facts->libraries)) versions[one.name].insert(std::move(one.version));
  std::vector<Library> all;
  for (const auto& known : versions) {
    const std::string& name = known.first;
    Library& one = all.emplace_back(Library{name, {}});
    for (const std::string& version : known.second) one.version += (one.version.empty() ? "" : "|") + version;
    const bool by_all = std::ranges::all_of(parts, [&](const NamedFacts& part) {
      const std::vector<Library> own = parse_libraries(part.facts->libraries);
      return std::ranges::find(own, name, &Library::name) != own.end();
    });
    if (!by_all) one.version += "|unknown";
  }
  return libraries_text(all);
}

/// A part that was merged carries the fingerprints of all that went into it.
void require_different_images(std::span<const NamedFacts> parts) {
  std::map<std::string, const NamedFacts*> seen;
  for (const NamedFacts& part : parts)
    for (const std::string& fingerprint : part.facts->fingerprints) {
      const auto [known, fresh] = seen.try_emplace(fingerprint, &part);
      if (fresh) continue;
      const bool itself = known->second == &part;
      refuse_part(part.name,
                  itself ? fmt::format("counts the images with fingerprint {} twice", printable(fingerprint, 12))
                         : fmt::format("contains images that {} contains too (fingerprint {})", known->second->name,
                                       printable(fingerprint, 12)),
                  std::string(kDifferentImages));
    }
}

}  // namespace

std::int64_t parse_count(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  const std::string text = found == metadata.end() ? std::string() : found->second;
  std::int64_t value = 0;
  if (!parse_whole(text, value) || value < 0 || value > kMostCounted)
    throw FormatError(fmt::format("{} = '{}'; expected a count", key, printable(text)));
  return value;
}

void write_facts(const MeasuredFacts& facts, Metadata& metadata) {
  for (const FactText& field : kTexts)
    if (!(facts.*field.member).empty()) metadata.emplace(field.key, facts.*field.member);
  metadata.emplace("images", std::to_string(facts.images));
  if (facts.patients) metadata.emplace("patients", std::to_string(*facts.patients));
  std::string fingerprints;
  for (const std::string& one : facts.fingerprints) fingerprints += (fingerprints.empty() ? "" : ",") + one;
  if (!fingerprints.empty()) metadata.emplace("data_fingerprint", fingerprints);
}

void read_facts(const Metadata& metadata, MeasuredFacts& facts) {
  for (const FactText& field : kTexts)
    if (const auto found = metadata.find(std::string(field.key)); found != metadata.end())
      facts.*field.member = found->second;
  facts.images = parse_count(metadata, "images");
  if (metadata.contains("patients")) facts.patients = parse_count(metadata, "patients");
  if (const auto found = metadata.find("data_fingerprint"); found != metadata.end())
    for (std::string& one : split(found->second, ',')) facts.fingerprints.push_back(std::move(one));
  if (facts.model_sha256.size() != 64) throw FormatError("model_sha256 is missing; expected 64 hexadecimal digits");
}

void refuse_part(std::string_view part, const std::string& found, const std::string& expected) {
  throw ConfigError(fmt::format("{}: {}; expected {}", part, printable(found), printable(expected)));
}

void require_same(std::string_view what, std::string_view first, const std::string& of_first, std::string_view part,
                  const std::string& of_part) {
  if (of_first == of_part) return;
  refuse_part(part, fmt::format("{} {}", what, or_none(of_part)),
              fmt::format("{}, as {} has", or_none(of_first), first));
}

MeasuredFacts merged_facts(std::span<const NamedFacts> parts) {
  const NamedFacts& first = parts.front();
  for (const NamedFacts& part : parts.subspan(1))
    for (const FactText& text : kTexts)
      if (!text.same.empty())
        require_same(text.same, first.name, first.facts->*text.member, part.name, part.facts->*text.member);
  require_different_images(parts);
  MeasuredFacts total = *first.facts;
  total.drawn = all_of(parts, &MeasuredFacts::drawn, "all of one part");
  total.libraries = libraries_of(parts);
  total.program_version = all_of(parts, &MeasuredFacts::program_version, "unknown");
  total.patients = patients_of(parts);
  for (const NamedFacts& part : parts.subspan(1)) {
    total.images += part.facts->images;
    total.fingerprints.insert(total.fingerprints.end(), part.facts->fingerprints.begin(),
                              part.facts->fingerprints.end());
  }
  std::ranges::sort(total.fingerprints);
  return total;
}

}  // namespace shiftnorm::stats
