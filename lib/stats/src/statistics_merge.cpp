#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/library.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/stats/statistics_file.hpp"
#include "statistics_method.hpp"

namespace shiftnorm::stats {
namespace {

/// What parts must have in common to be merged.
struct Same {
  std::string_view what;
  std::string StatisticsFile::*member;
};
constexpr Same kSame[] = {
    {"semantics", &StatisticsFile::semantics}, {"estimator", &StatisticsFile::estimator},
    {"model", &StatisticsFile::model_sha256},  {"architecture", &StatisticsFile::architecture},
    {"weights", &StatisticsFile::weights},     {"preprocessing", &StatisticsFile::preprocess_sha256},
    {"shift", &StatisticsFile::shift},         {"instruction set", &StatisticsFile::instruction_set},
};

[[noreturn]] void refuse(const NamedStatistics& part, const std::string& found, const std::string& expected) {
  throw ConfigError(fmt::format("{}: {}; expected {}", part.name, printable(found), printable(expected)));
}

std::string or_none(const std::string& text) { return text.empty() ? "none" : text; }

void check_same(const NamedStatistics& first, const NamedStatistics& part) {
  for (const Same& same : kSame)
    if (first.file.*same.member != part.file.*same.member)
      refuse(part, fmt::format("{} {}", same.what, or_none(part.file.*same.member)),
             fmt::format("{}, as {} has", or_none(first.file.*same.member), first.name));
  if (first.file.batch != part.file.batch)
    refuse(part, fmt::format("batches of {} images", part.file.batch),
           fmt::format("{}, as {} has", first.file.batch, first.name));
  if (first.file.layers.size() != part.file.layers.size())
    refuse(part, fmt::format("{} layers", part.file.layers.size()), fmt::format("{}", first.file.layers.size()));
  for (std::size_t i = 0; i < part.file.layers.size(); ++i) {
    const LayerStatistics &a = first.file.layers[i], &b = part.file.layers[i];
    if (a.name != b.name || a.mean.size() != b.mean.size() || a.sums.pivot() != b.sums.pivot())
      refuse(part,
             fmt::format("layer '{}' differs from '{}' of {} in name, channels, pivot or being measured", b.name,
                         a.name, first.name),
             "the same layers measured in every part");
  }
}

void check_whole_batches(std::span<const NamedStatistics> parts) {
  const NamedStatistics* ragged = nullptr;
  for (const NamedStatistics& part : parts) {
    if (part.file.batch == 0 || part.file.images % part.file.batch == 0) continue;
    if (ragged != nullptr)
      refuse(part, fmt::format("{} images in batches of {}", part.file.images, part.file.batch),
             fmt::format("whole batches, as {} ends with a ragged one already", ragged->name));
    ragged = &part;
  }
}

void add_layer(const LayerStatistics& part, bool in_batches, LayerStatistics& total) {
  if (total.values + part.values > kMostCounted) throw ConfigError("more than 2^53 values; expected fewer parts");
  total.values += part.values;
  total.images += part.images;
  if (in_batches) total.batches += part.batches;  // without batches the whole set is one group
  ChannelMoments sums = total.sums;
  sums.merge(part.sums);
  // A sum that grew beyond what a file may hold must not go on growing.
  for (const std::vector<ExactSum>* each : {&sums.sums(), &sums.squares()})
    for (const ExactSum& sum : *each) static_cast<void>(ExactSum::from_digits(sum.digits()));
  for (const auto& channel : total.spread.products())
    for (const ExactSum& sum : channel) static_cast<void>(ExactSum::from_digits(sum.digits()));
  total.sums = std::move(sums);
  if (total.spread.channels() > 0 && part.spread.channels() > 0)
    total.spread.merge(part.spread);
  else
    total.spread = {};
}

std::optional<std::int64_t> patients_of(std::span<const NamedStatistics> parts) {
  std::optional<std::int64_t> sum;
  for (const NamedStatistics& part : parts)
    if (part.file.patients) sum = std::min(kMostCounted, sum.value_or(0) + *part.file.patients);
  return sum;
}

/// What the parts say of themselves, each text once; `absent` represents a part that says nothing beside others that
/// do.
std::string all_of(std::span<const NamedStatistics> parts, std::string StatisticsFile::*text, std::string_view absent) {
  std::set<std::string> said;
  for (const NamedStatistics& part : parts) said.insert(part.file.*text);
  if (said.size() == 1) return *said.begin();
  std::string all;
  for (const std::string& one : said) all += (all.empty() ? "" : "; ") + (one.empty() ? std::string(absent) : one);
  return all;
}

/// Each library once, with the versions that the parts name: "oneDNN 2.6.3|3.1.0".
std::string libraries_of(std::span<const NamedStatistics> parts) {
  std::map<std::string, std::set<std::string>> versions;
  for (const NamedStatistics& part : parts)
    for (Library& one : parse_libraries(part.file.libraries)) versions[one.name].insert(std::move(one.version));
  std::vector<Library> all;
  for (const auto& [name, known] : versions) {
    Library& one = all.emplace_back(Library{name, {}});
    for (const std::string& version : known) one.version += (one.version.empty() ? "" : "|") + version;
    const bool by_all = std::ranges::all_of(parts, [&](const NamedStatistics& part) {
      const std::vector<Library> own = parse_libraries(part.file.libraries);
      return std::ranges::find(own, name, &Library::name) != own.end();
    });
    if (!by_all) one.version += "|unknown";
  }
  return libraries_text(all);
}

/// The same numbers in every layer: the same images, whatever they were called.
bool same_sums(const StatisticsFile& a, const StatisticsFile& b) {
  const auto measured = [](const LayerStatistics& layer) { return layer.values > 0; };
  return std::ranges::any_of(a.layers, measured) &&
         std::ranges::equal(a.layers, b.layers, [](const LayerStatistics& x, const LayerStatistics& y) {
           return x.values == y.values && x.images == y.images && x.sums == y.sums;
         });
}

/// Of images that lie in two parts only what was measured as a whole is known: a part that was merged carries the
/// fingerprints of all that went into it.
void check_images_differ(std::span<const NamedStatistics> parts) {
  const std::string expected = "parts of different images, as these would count twice";
  std::map<std::string, const NamedStatistics*> seen;
  for (const NamedStatistics& part : parts)
    for (const std::string& fingerprint : part.file.fingerprints) {
      const auto [known, fresh] = seen.try_emplace(fingerprint, &part);
      if (fresh) continue;
      const bool itself = known->second == &part;
      refuse(part,
             itself ? fmt::format("counts the images with fingerprint {} twice", printable(fingerprint, 12))
                    : fmt::format("contains images that {} contains too (fingerprint {})", known->second->name,
                                  printable(fingerprint, 12)),
             expected);
    }
  for (std::size_t i = 0; i < parts.size(); ++i)
    for (std::size_t k = 0; k < i; ++k)
      if (same_sums(parts[k].file, parts[i].file))
        refuse(parts[i], fmt::format("has exactly the sums of {}: the same images under other names", parts[k].name),
               expected);
}

}  // namespace

StatisticsFile merged(std::span<const NamedStatistics> parts) {
  if (parts.size() < 2) throw ConfigError(fmt::format("{} files to merge; expected two or more", parts.size()));
  for (const NamedStatistics& part : parts)
    if (const Method& method = method_of(part.file.semantics, part.file.estimator); !method.unmergeable.empty())
      throw ConfigError(fmt::format("{}: semantics {} with estimator {} cannot be merged: {}", part.name,
                                    method.semantics, method.estimator, method.unmergeable));
  for (const NamedStatistics& part : parts.subspan(1)) check_same(parts[0], part);
  check_whole_batches(parts);
  check_images_differ(parts);

  StatisticsFile total = parts[0].file;
  total.drawn = all_of(parts, &StatisticsFile::drawn, "all of one part");
  total.libraries = libraries_of(parts);
  total.program_version = all_of(parts, &StatisticsFile::program_version, "unknown");
  total.patients = patients_of(parts);
  for (const NamedStatistics& part : parts.subspan(1)) {
    total.images += part.file.images;
    total.fingerprints.insert(total.fingerprints.end(), part.file.fingerprints.begin(), part.file.fingerprints.end());
    if (part.file.shuffle != total.shuffle) total.shuffle = "mixed";
    for (std::size_t i = 0; i < total.layers.size(); ++i)
      if (total.layers[i].values > 0) add_layer(part.file.layers[i], total.batch > 0, total.layers[i]);
  }
  std::ranges::sort(total.fingerprints);
  const Pooling pooling = pooling_of(total.semantics, total.estimator);
  for (LayerStatistics& layer : total.layers)
    if (layer.values > 0) estimate(pooling, layer);
  return total;
}

}  // namespace shiftnorm::stats
