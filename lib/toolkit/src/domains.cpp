#include "shiftnorm/toolkit/domains.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/imaging/attributes.hpp"
#include "shiftnorm/toolkit/advice.hpp"
#include "shiftnorm/toolkit/mode_facts.hpp"

namespace shiftnorm::toolkit {
namespace {

std::string value_of(const imaging::Sample& sample, const std::string& key) {
  const auto found = sample.attributes.find(key);
  return imaging::comparable_value(key, found == sample.attributes.end() ? std::string_view() : found->second);
}

/// Policies that use what few images said without asking the source.
bool trusts_target(adapt::Policy policy) {
  using adapt::Policy;
  return policy == Policy::adabn || policy == Policy::mean_only || policy == Policy::variance_only ||
         policy == Policy::hybrid_decay || policy == Policy::matched;
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

}  // namespace

Groups column_groups(const Session& session, const std::string& column) {
  std::vector<std::string> values;
  for (std::size_t i = 0; i < session.store->size(); ++i) values.push_back(value_of(session.store->sample(i), column));
  return grouped(values, false);
}

Domains find_domains(const Session& session, const config::DomainConfig& config) {
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
  const bool masked = !config.shown && imaging::names_site(config.key);
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

std::vector<adapt::Domain> treatments(const adapt::Mode& mode, const Domains& domains,
                                      const config::DomainConfig& config) {
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

results::ModeReport report_domains(const Scorer& scorer, const adapt::Mode& mode, const Domains& domains,
                                   const std::vector<adapt::Domain>& treated, const adapt::DomainResults& results,
                                   const stats::Statistics& source) {
  adapt::ModeResult all;
  all.outputs = results.outputs;
  all.seconds = results.seconds;
  for (const adapt::ModeResult& part : results.domains) all.adapted_images += part.adapted_images;
  results::ModeReport report = scorer.report(mode, all);
  for (std::size_t d = 0; d < domains.names.size(); ++d) {
    results::ModeReport part =
        scorer.on(domains.images[d]).report(treated[d].mode, rows_of(results, domains.images[d]));
    results::DomainReport& domain = report.domains.emplace_back();
    domain.name = domains.names[d];
    domain.images = static_cast<std::int64_t>(domains.images[d].size());
    domain.measured = results.domains[d].adapted_images;
    domain.mode = facts_of(treated[d].mode);
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
                      report.note.empty() ? "" : "; ", domain.name, treated[d].images.size(), domain.mode.policy,
                      *domain.mode.prior_images, adapt::name_of(mode.policy));
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

}  // namespace shiftnorm::toolkit
