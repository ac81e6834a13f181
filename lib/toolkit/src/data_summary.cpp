#include <algorithm>
#include <set>

#include "examine.hpp"
#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/imaging/attributes.hpp"
#include "shiftnorm/toolkit/domains.hpp"

namespace shiftnorm::toolkit {
namespace {

using imaging::DataReport, imaging::Sample, imaging::Tally;

/// How a value of an attribute is shown.
enum class Shown { code, plain, masked };

struct CountedAttribute {
  std::string_view attribute, key, title;
  Shown how;
};
constexpr CountedAttribute kCounted[] = {
    {"Modality", "modalities", "Modality", Shown::code},
    {"PhotometricInterpretation", "photometrics", "Photometric interpretation", Shown::code},
    {"BitsStored", "bits_stored", "Bits stored", Shown::code},
    {"InstitutionName", "institutions", "Institution", Shown::masked},
    {"StationName", "stations", "Station", Shown::masked},
    {"BurnedInAnnotation", "burned_in_annotation", "Burned-in annotation", Shown::code},
};

std::string attribute_of(const Sample& sample, const std::string& name) {
  const auto found = sample.attributes.find(name);
  return printable(
      imaging::comparable_value(name, found == sample.attributes.end() ? std::string_view() : found->second));
}

std::string scanner_of(const Sample& sample) {
  const std::string maker = attribute_of(sample, "Manufacturer"), model = attribute_of(sample, "ManufacturerModelName");
  return model == "unknown" ? maker : maker + ", " + model;
}

void mask(Tally& tally) {
  std::map<std::string, std::int64_t> masked;
  for (const auto& [value, n] : tally.counts)
    masked.emplace(value == "unknown" ? value : "domain-" + std::to_string(masked.size() + 1), n);
  tally.counts = std::move(masked);
}

/// Different values of a key that samples carry (never printed themselves); nothing unless some have it.
std::optional<std::int64_t> different(const std::vector<const Sample*>& samples, const std::string& key) {
  std::set<std::string_view> values;
  for (const Sample* sample : samples)
    if (const auto found = sample->keys.find(key); found != sample->keys.end() && !found->second.empty())
      values.insert(found->second);
  if (values.empty()) return std::nullopt;
  return static_cast<std::int64_t>(values.size());
}

/// Good samples, and the files among them.
struct Good {
  std::vector<const Sample*> samples, files;
  std::vector<const Finding*> findings;  ///< of the files
};

/// The further frames of an object share its fate.
Good good_of(const imaging::Dataset& dataset, const Findings& findings) {
  Good good;
  bool usable = false;
  for (std::size_t i = 0; i < findings.samples.size(); ++i) {
    const Finding& finding = findings.samples[i];
    if (finding.counted) usable = finding.bad.empty();
    if (!usable) continue;
    good.samples.push_back(&dataset.samples()[i]);
    if (!finding.counted) continue;
    good.files.push_back(&dataset.samples()[i]);
    good.findings.push_back(&finding);
  }
  return good;
}

std::vector<Tally> tallies_of(const imaging::Dataset& dataset, const Good& good,
                              const std::vector<std::string>& domains, bool shown) {
  Tally classes{"classes", "Class", {}}, sizes{"sizes", "Size", {}}, formats{"formats", "Format", {}};
  Tally syntaxes{"transfer_syntaxes", "Transfer syntax", {}}, scanners{"scanners", "Scanner", {}};
  for (const std::string& name : dataset.classes()) classes.counts[name] = 0;
  for (const Sample* sample : good.files)
    if (sample->label >= 0) ++classes.counts[dataset.classes().at(static_cast<std::size_t>(sample->label))];
  for (const Finding* finding : good.findings) {
    ++sizes.counts[size_text(finding->shape) + " " + finding->dtype];
    ++formats.counts[finding->format];
    if (finding->transfer_syntax.empty()) continue;
    ++syntaxes.counts[finding->transfer_syntax];
    syntaxes.names[finding->transfer_syntax] = finding->transfer_syntax_name;
  }
  std::vector<Tally> out{classes, sizes, formats};
  if (dataset.reader() == imaging::Reader::dicom) {
    for (const Sample* sample : good.files) ++scanners.counts[scanner_of(*sample)];
    out.insert(out.end(), {syntaxes, scanners});
    for (const CountedAttribute& counted : kCounted) {
      Tally& tally = out.emplace_back(Tally{std::string(counted.key), std::string(counted.title), {}});
      const std::string attribute(counted.attribute);
      for (const Sample* sample : good.files)
        ++tally.counts[counted.how == Shown::code ? code_of(*sample, attribute) : attribute_of(*sample, attribute)];
      if (counted.how == Shown::masked && !shown) mask(tally);
    }
  }
  for (const std::string& domain : domains) {
    Tally& tally = out.emplace_back(Tally{"domain " + domain, domain, {}});
    for (const Sample* sample : good.files) ++tally.counts[attribute_of(*sample, domain)];
    if (imaging::names_site(domain) && !shown) mask(tally);
  }
  return out;
}

std::vector<imaging::Distribution> distributions_of(const Findings& findings) {
  std::vector<imaging::Distribution> out;
  for (const auto& [group, histogram] : findings.intensities) {
    double sum = 0;
    std::int64_t values = 0;
    for (const Finding& finding : findings.samples)
      if (finding.bad.empty() && finding.group == group) {
        sum += finding.mean * static_cast<double>(finding.values);
        values += finding.values;
      }
    out.push_back({group, histogram, values == 0 ? 0 : sum / static_cast<double>(values), std::nullopt});
  }
  return out;
}

}  // namespace

const std::vector<std::string>& counted_attributes() {
  static const std::vector<std::string> attributes = [] {
    std::vector<std::string> names{"Manufacturer", "ManufacturerModelName"};
    for (const CountedAttribute& counted : kCounted) names.emplace_back(counted.attribute);
    return names;
  }();
  return attributes;
}

DataReport summarise(const imaging::Dataset& dataset, const Findings& findings, const std::vector<std::string>& domains,
                     bool shown) {
  const Good good = good_of(dataset, findings);
  DataReport out;
  out.reader = imaging::kReaders.name_of(dataset.reader());
  out.images = static_cast<std::int64_t>(good.files.size());
  out.samples = static_cast<std::int64_t>(good.samples.size());
  out.skipped = dataset.skipped();
  std::set<std::string_view> patients;
  for (const Sample* sample : good.samples)
    if (!sample->patient.empty()) patients.insert(sample->patient);
  if (!patients.empty()) out.patients = static_cast<std::int64_t>(patients.size());
  out.studies = different(good.samples, "StudyInstanceUID");
  out.series = different(good.samples, "SeriesInstanceUID");
  constexpr std::size_t kWithFrames = 4;  // frames, rows, columns, samples
  if (dataset.reader() == imaging::Reader::dicom) {
    out.frames = 0;
    for (const Finding* finding : good.findings)
      *out.frames += finding->shape.size() == kWithFrames ? finding->shape[0] : 1;
  }
  out.tallies = tallies_of(dataset, good, domains, shown);
  if (const imaging::LabelCounts* labels = dataset.label_counts()) out.labels = *labels;
  for (const Finding& finding : findings.samples)
    if (!finding.bad.empty()) out.bad.push_back({finding.id, finding.bad, finding.kind, std::nullopt});
  out.bad.insert(out.bad.end(), dataset.bad().begin(), dataset.bad().end());
  out.skipped_files = dataset.skipped_files();
  Tally skipped{"skipped_because", "Skipped because", {}}, bad{"bad_because", "Bad because", {}};
  for (const imaging::Bad& one : dataset.skipped_files()) ++skipped.counts[one.reason];
  for (const imaging::Bad& one : out.bad) ++bad.counts[one.kind.empty() ? "unreadable" : one.kind];
  if (dataset.reader() == imaging::Reader::dicom) out.tallies.push_back(std::move(skipped));
  out.tallies.push_back(std::move(bad));
  out.before = distributions_of(findings);
  out.fingerprint = dataset.fingerprint();
  return out;
}

}  // namespace shiftnorm::toolkit
