#include "shiftnorm/experiment/domains.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::experiment {
namespace {

using container::Json;

std::string value_of(const imaging::Sample& sample, const std::string& key) {
  const auto found = sample.attributes.find(key);
  return domain_value(key, found == sample.attributes.end() ? std::string_view() : found->second);
}

/// A tube's voltage is a setting near which it stays: 119.8 and 120 are one.
std::string rounded(const std::string& number) {
  double value = 0;
  return parse_whole(number, value) && std::isfinite(value) ? fmt::format("{:.0f}", value) : number;
}

/// Policies that use what few images said without asking the source.
bool trusts_target(adapt::Policy policy) {
  using adapt::Policy;
  return policy == Policy::adabn || policy == Policy::mean_only || policy == Policy::variance_only ||
         policy == Policy::hybrid_decay;
}

adapt::ModeResult rows_of(const adapt::DomainResults& results, const std::vector<std::size_t>& images) {
  adapt::ModeResult part;
  const auto width = static_cast<std::size_t>(results.outputs->width);
  adapt::Outputs& outputs = part.outputs.emplace();
  outputs.width = results.outputs->width;
  for (const std::size_t i : images) {
    const auto row = results.outputs->values.begin() + static_cast<std::ptrdiff_t>(i * width);
    outputs.values.insert(outputs.values.end(), row, row + static_cast<std::ptrdiff_t>(width));
  }
  return part;
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

}  // namespace

std::string domain_value(std::string_view key, std::string_view value) {
  if (key == "KVP") return rounded(domain_value({}, value));
  std::string out;
  for (const char c : value) {
    const bool blank = static_cast<unsigned char>(c) <= 0x20;
    if (blank && (out.empty() || out.back() == ' ')) continue;
    out += blank ? ' ' : c;
  }
  if (out.ends_with(' ')) out.pop_back();
  return out.empty() ? "unknown" : lower_case(std::move(out));
}

bool tells_site(std::string_view column) {
  constexpr std::array<std::string_view, 29> kWords{
      "institution", "station", "hospital",  "clinic",    "site",   "center",    "centre", "department",
      "address",     "city",    "country",   "name",      "person", "physician", "doctor", "operator",
      "serial",      "patient", "uid",       "accession", "birth",  "date",      "time",   "description",
      "comment",     "diagnos", "admission", "number",    "history"};
  if (imaging::names_nobody(column)) return false;
  const std::string lower = domain_value({}, column);
  // An attribute by its number, and what ends as PatientID does, tell nothing that could be weighed.
  if (lower.find(',') != std::string::npos || column.ends_with("ID")) return true;
  return std::ranges::any_of(kWords, [&](std::string_view word) {
    // "ManufacturerModelName" names a make of scanner, not one of them.
    return lower.find(word) != std::string::npos && !(word == "name" && lower.find("model") != std::string::npos);
  });
}

Groups column_groups(const Session& session, const std::string& column) {
  std::vector<std::string> values;
  for (std::size_t i = 0; i < session.store->size(); ++i) values.push_back(value_of(session.store->sample(i), column));
  return grouped(values, false);
}

Domains find_domains(const Session& session, const DomainConfig& config) {
  struct Members {
    std::vector<std::size_t> listed, images;
  };
  std::map<std::string, Members> by_value;
  const std::vector<imaging::Sample>& samples = session.dataset->samples();
  for (std::size_t i = 0; i < samples.size(); ++i) by_value[value_of(samples[i], config.key)].listed.push_back(i);
  for (std::size_t i = 0; i < session.store->size(); ++i)
    by_value[value_of(session.store->sample(i), config.key)].images.push_back(i);
  if (by_value.size() > kMostDomains)
    throw ConfigError(fmt::format("domain: '{}' has {} values; expected at most {}", printable(config.key),
                                  by_value.size(), kMostDomains));
  Domains domains;
  domains.key = config.key;
  FileStems stems;
  const bool masked = !config.shown && tells_site(config.key);
  for (auto& [value, members] : by_value) {
    if (members.images.empty()) continue;
    const bool plain = !masked || value == "unknown";
    domains.names.push_back(plain ? printable(value) : fmt::format("domain-{}", domains.names.size() + 1));
    domains.stems.push_back(stems.take(domains.names.back()));
    domains.bad.push_back(static_cast<std::int64_t>(members.listed.size() - members.images.size()));
    domains.images.push_back(std::move(members.images));
    domains.listed.push_back(std::move(members.listed));
  }
  return domains;
}

std::vector<adapt::Domain> treatments(const adapt::Mode& mode, const Domains& domains, const DomainConfig& config) {
  std::vector<adapt::Domain> out;
  for (const std::vector<std::size_t>& images : domains.images) {
    adapt::Domain& domain = out.emplace_back(adapt::Domain{images, mode});
    if (std::cmp_greater_equal(images.size(), config.min_images) || !trusts_target(mode.policy)) continue;
    domain.mode.policy = adapt::Policy::blend;
    domain.mode.prior_images = config.prior_images;
    domain.mode.source_weight.reset();
  }
  return out;
}

ModeReport report_domains(const Scorer& scorer, const adapt::Mode& mode, const Domains& domains,
                          const std::vector<adapt::Domain>& treated, const adapt::DomainResults& results,
                          const stats::Statistics& source) {
  adapt::ModeResult all;
  all.outputs = results.outputs;
  all.seconds = results.seconds;
  for (const adapt::ModeResult& part : results.domains) all.adapted_images += part.adapted_images;
  ModeReport report = scorer.report(mode, all);
  for (std::size_t d = 0; d < domains.names.size(); ++d) {
    ModeReport part = scorer.on(domains.images[d]).report(treated[d].mode, rows_of(results, domains.images[d]));
    DomainReport& domain = report.domains.emplace_back();
    domain.name = domains.names[d];
    domain.images = static_cast<std::int64_t>(domains.images[d].size());
    domain.measured = results.domains[d].adapted_images;
    domain.mode = treated[d].mode;
    domain.fell_back = treated[d].mode.policy != mode.policy;
    domain.metrics = std::move(part.metrics);
    domain.mean_confidence = part.mean_confidence;
    domain.mean_entropy = part.mean_entropy;
    if (const stats::Statistics& measured = results.domains[d].measured; !measured.empty() && !source.empty())
      domain.drift = stats::distances(source, measured);
    domain.settling = settling_of(treated[d].mode, results.domains[d].measured, source, domain.measured);
    // What falls back is what has few images to measure, however many are scored.
    if (domain.fell_back)
      report.note +=
          fmt::format("{}domain '{}' has {} images to measure: {} with a prior of {:g} images in place of {}",
                      report.note.empty() ? "" : "; ", domain.name, treated[d].images.size(),
                      adapt::name_of(domain.mode.policy), *domain.mode.prior_images, adapt::name_of(mode.policy));
  }
  return report;
}

DataFacts data_facts(const Session& session, const Domains& domains, std::size_t domain,
                     std::span<const adapt::LeftOut> left_out) {
  const std::vector<std::size_t>& images = domains.images[domain];
  std::vector<adapt::LeftOut> within;
  for (const adapt::LeftOut& one : left_out)
    within.push_back({static_cast<std::size_t>(std::ranges::find(images, one.image) - images.begin()), one.reason});
  DataFacts facts = data_facts(session, images, within);
  facts.fingerprint = session.dataset->fingerprint(domains.listed[domain]);
  facts.bad = *facts.bad + domains.bad[domain];
  return facts;
}

std::filesystem::path domain_path(const std::filesystem::path& file, std::string_view stem) {
  return file.parent_path() / fmt::format("{}.{}{}", file.stem().string(), stem, file.extension().string());
}

std::string domain_index(const std::string& key, const std::vector<DomainFile>& files) {
  Json list = Json::array();
  for (const DomainFile& file : files)
    list.push(Json::object({{"mode", file.mode},
                            {"domain", file.domain},
                            {"policy", file.policy},
                            {"images", file.images},
                            {"statistics", text_or_null(file.statistics)},
                            {"adapted", text_or_null(file.adapted)}}));
  return container::write_json(Json::object({{"schema", 1}, {"key", key}, {"files", std::move(list)}}), 2) + "\n";
}

std::string FileStems::take(std::string_view name) {
  std::string stem;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    stem += plain || (c == '.' && !stem.empty()) ? c : '_';
  }
  std::string unique = stem;
  for (int i = 2; !taken_.insert(unique).second; ++i) unique = fmt::format("{}-{}", stem, i);
  return unique;
}

}  // namespace shiftnorm::experiment
