#include "shiftnorm/toolkit/recalibrate.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "job_session.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/results/domain_index.hpp"
#include "shiftnorm/toolkit/advice.hpp"
#include "shiftnorm/toolkit/cohort.hpp"
#include "shiftnorm/toolkit/plan.hpp"
#include "shiftnorm/toolkit/statistics.hpp"
#include "target_mixture.hpp"

namespace shiftnorm::toolkit {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kFirstRound = 32;

SessionOptions session_of(const RecalibrateOptions& options) {
  SessionOptions session =
      job_session(options.session, options.checkpoint, options.architecture, options.data, options.preprocess);
  session.labelled =
      options.mode.policy == adapt::Policy::matched && options.mode.shares.from == adapt::SharesFrom::labels;
  session.modes = {options.mode};
  if (!options.out.empty()) session.written = {options.out.filename().string(), options.to_inference};
  return session;
}

bool tells_settling(const adapt::Mode& mode) {
  return adapt::measures(mode.policy) &&
         (mode.estimator == adapt::Estimator::population || mode.estimator == adapt::Estimator::batch_mean);
}

void check(const RecalibrateOptions& options) {
  adapt::require_valid(options.mode);
  check_exportable(options.mode);
  if (options.mode.prior_correction)
    throw ConfigError("--prior-correction: changes outputs, which no checkpoint holds; expected evaluate or run");
  if (options.until_settled && !tells_settling(options.mode))
    throw ConfigError(
        "--max-images = auto: needs an estimate that shows whether it has settled; expected a policy that measures, "
        "with estimator population or batch-mean");
}

/// A file that holds no statistics has no place for new ones.
void check_writable(const RestoredModel& model, const adapt::Mode& mode) {
  if (model.source_statistics) return;
  throw ConfigError(
      fmt::format("{}: its BatchNorms keep no running statistics (PyTorch's track_running_stats=False), so policy {} "
                  "has nowhere to be written; expected --stats-out without --out, and evaluate --stats",
                  model.checkpoint.file_name, mode.name));
}

Session opened(const SessionOptions& wanted, const RecalibrateOptions& options) {
  Session session = open_session(wanted, options.events.progress);
  if (!options.out.empty()) check_writable(session.model, options.mode);
  tell_of_session(session, options.events);
  options.events.tell(fmt::format("{}: {} BatchNorms on {} levels, {} images", session.model.checkpoint.file_name,
                                  session.engine->batch_norms().size(), session.levels(), session.store->size()));
  return session;
}

void check_patients(const RecalibrateOptions& options, const std::optional<std::int64_t>& patients,
                    const std::string& domain) {
  if (adapt::measures(options.mode.policy)) check_cohort(patients, options.small_cohort, domain);
}

ExportFacts facts_for(const fs::path& file, const adapt::Mode& mode, const adapt::ModeResult& result, bool small_cohort,
                      bool to_inference) {
  ExportFacts facts;
  facts.file_name = file.filename().string();
  facts.mode = mode;
  facts.images = result.adapted_images;
  facts.small_cohort = small_cohort;
  facts.to_inference = to_inference;
  return facts;
}

const stats::Statistics& source_of(const Session& session) {
  static const stats::Statistics none;
  return session.engine->source_known() ? session.engine->source() : none;
}

void keep(const RecalibrateOptions& options, const Session& session, const adapt::Mode& mode,
          const stats::Statistics& reached) {
  const bool any = std::ranges::any_of(reached, [](const stats::LayerStatistics& l) { return l.values > 0; });
  if (!any || options.interrupted.empty() || !session.engine->source_known()) return;
  write_file(options.interrupted, write_interrupted(session, reached, mode));
  options.events.warn(fmt::format("{}: keeps what was measured; the same command with --resume continues from there",
                                  options.interrupted.filename().string()));
}

/// What an interrupted call left; nothing if it is of another round.
stats::Statistics reached_by(const RecalibrateOptions& options, const Session& session, const adapt::Mode& mode) {
  if (!options.resume || options.interrupted.empty() || !fs::exists(options.interrupted)) return {};
  try {
    return read_interrupted(options.interrupted, session, mode);
  } catch (const ConfigError&) {
    if (!options.until_settled) throw;
    return {};
  }
}

/// A network is not adapted to shares that are a guess. Errors  ConfigError.
void require_told(const std::optional<results::MixtureFacts>& mixture, const std::string& domain) {
  if (!mixture || mixture->tells) return;
  throw ConfigError(fmt::format(
      "{}--shares = estimate: cannot tell the shares of the classes from these images: {}; expected them by name "
      "(--shares class=share,..), labels of some images (--shares labels), or another policy",
      domain.empty() ? "" : fmt::format("domain '{}': ", domain), mixture->reason));
}

Adapted estimate(const SessionOptions& wanted, const RecalibrateOptions& options) {
  Adapted out{.session = opened(wanted, options),
              .mode = options.mode,
              .small_cohort = options.small_cohort,
              .to_inference = options.to_inference};
  const Session& session = out.session;
  // Before the work: adapted weights must not be asked for in vain.
  if (!options.out.empty() && !options.until_settled) check_patients(options, session.patient_count(), {});
  if (const auto note = note_on_spill(*session.engine, options.mode, session.images, false, options.events.progress))
    options.events.tell(*note);
  MixtureFinder mixtures(session, wanted.data.dataset.limit.seed);
  CarriedOut carried = mixtures.find(options.mode, every_image(session.images.count), options.events.progress);
  require_told(carried.mixture, {});
  out.mode = carried.mode;
  out.mixture = std::move(carried.mixture);
  stats::Statistics reached = reached_by(options, session, out.mode);
  try {
    out.result = session.engine->run(out.mode, session.images, nullptr, options.events.progress, &reached);
  } catch (...) {
    keep(options, session, out.mode, reached);
    throw;
  }
  out.images = out.result.adapted_images;
  out.facts = data_facts(session, out.result.left_out);
  if (options.until_settled) out.facts.drawn = "auto: " + out.facts.drawn;
  out.settling = settling_of(options.mode, out.result.measured, source_of(session), out.images);
  return out;
}

/// The result is that of a limit of as many images as the last round had.
Adapted estimate_until_settled(SessionOptions wanted, const RecalibrateOptions& options) {
  for (std::int64_t images = kFirstRound;; images *= 2) {
    wanted.data.dataset.limit.images = images;
    Adapted out = estimate(wanted, options);
    if (const stats::LayerSettling* worst = out.settling.worst())
      options.events.tell(fmt::format("{} images: layer '{}' may be off by {:.3f} standard deviations",
                                      out.settling.images, worst->name, worst->error));
    const auto found = static_cast<std::int64_t>(out.session.dataset->samples().size());
    if (out.settling.settled() || found < images) return out;
  }
}

std::vector<std::string> notes_of(const Adapted& out) {
  std::vector<std::string> notes;
  if (!adapt::measures(out.mode.policy)) return notes;
  if (out.mixture) notes = toolkit::notes_on(*out.mixture);
  for (const std::vector<std::string>& more : {notes_on_batches(out.mode, out.session.labels()),
                                               notes_on(out.mode, out.settling), notes_on_cohort(out.facts.patients)})
    notes.insert(notes.end(), more.begin(), more.end());
  return notes;
}

}  // namespace

Exported Adapted::exported(const fs::path& file) const {
  return export_checkpoint(session.model, result.statistics, facts_for(file, mode, result, small_cohort, to_inference),
                           facts);
}

std::vector<std::byte> Adapted::statistics_file() const {
  require_measured_alone(mode);
  return stats::write_statistics(toolkit::statistics_file(
      session.model, result.measured, facts_for({}, mode, result, small_cohort, to_inference), facts));
}

void Adapted::write(const fs::path& file) const {
  OutputFiles files;
  files.expect("write", file);
  files.set_exported(file, exported(file));
  files.write();
}

Adapted recalibrate(const RecalibrateOptions& options) {
  check(options);
  const SessionOptions wanted = session_of(options);
  Adapted out = options.until_settled ? estimate_until_settled(wanted, options) : estimate(wanted, options);
  if (!out.result.measured.empty() && !source_of(out.session).empty())
    out.drift = stats::distances(source_of(out.session), out.result.measured);
  out.bad = bad_files(out.session, out.result.left_out);
  out.notes = notes_of(out);
  return out;
}

DataFacts AdaptedDomains::facts(std::size_t domain) const {
  return data_facts(session, domains, domain, results.domains[domain].left_out);
}

fs::path domain_index_path(const fs::path& out) { return out.string() + ".domains.json"; }

std::vector<fs::path> AdaptedDomains::put(OutputFiles& files, const fs::path& out,
                                          const std::optional<fs::path>& statistics) const {
  std::vector<results::DomainFile> index;
  std::vector<fs::path> written;
  for (std::size_t d = 0; d < treated.size(); ++d) {
    const fs::path& file = written.emplace_back(domain_path(out, domains.stems[d]));
    const fs::path measured = statistics ? domain_path(*statistics, domains.stems[d]) : "";
    const adapt::ModeResult& result = results.domains[d];
    ExportFacts known = facts_for(file, treated[d].mode, result, small_cohort, to_inference);
    known.domain = domains.names[d];
    const DataFacts data = facts(d);
    if (statistics) {
      require_measured_alone(mode);
      files.set(measured, stats::write_statistics(statistics_file(session.model, result.measured, known, data)));
    }
    files.set_exported(file, export_checkpoint(session.model, result.statistics, known, data));
    index.push_back({mode.name, domains.names[d], std::string(adapt::name_of(known.mode.policy)),
                     static_cast<std::int64_t>(treated[d].images.size()), measured.filename().string(),
                     file.filename().string()});
  }
  files.set(domain_index_path(out), results::domain_index(domains.key, index));
  return written;
}

AdaptedDomains recalibrate_domains(const RecalibrateOptions& options, const config::DomainConfig& by) {
  check(options);
  if (options.resume)
    throw ConfigError("--resume: continues one estimate, and --domain makes several; expected one of them");
  if (options.until_settled)
    throw ConfigError(
        "--max-images = auto: reads until one estimate has settled, and --domain makes several; expected a number");
  SessionOptions wanted = session_of(options);
  wanted.data.dataset.keep.push_back(by.key);
  AdaptedDomains out{.session = opened(wanted, options),
                     .mode = options.mode,
                     .small_cohort = options.small_cohort,
                     .to_inference = options.to_inference};
  out.domains = find_domains(out.session, by);
  std::vector<std::optional<std::int64_t>> patients;
  for (std::size_t d = 0; d < out.domains.names.size(); ++d) {
    patients.push_back(data_facts(out.session, out.domains, d, {}).patients);
    check_patients(options, patients[d], out.domains.names[d]);
  }
  out.treated = treatments(options.mode, out.domains, by);
  MixtureFinder mixtures(out.session, wanted.data.dataset.limit.seed);
  out.mixtures = find_mixtures(mixtures, out.treated, options.events.progress);
  for (std::size_t d = 0; d < out.mixtures.size(); ++d) require_told(out.mixtures[d], out.domains.names[d]);
  out.results = out.session.engine->run_domains(out.treated, out.session.images, false, options.events.progress);
  std::vector<adapt::LeftOut> left_out;
  for (const adapt::ModeResult& result : out.results.domains)
    left_out.insert(left_out.end(), result.left_out.begin(), result.left_out.end());
  out.bad = bad_files(out.session, left_out);
  if (adapt::measures(options.mode.policy)) out.notes = notes_on_batches(options.mode, out.session.labels());
  for (std::size_t d = 0; d < out.treated.size(); ++d) {
    for (std::string& note : notes_on_cohort(patients[d], out.domains.names[d])) out.notes.push_back(std::move(note));
    const adapt::Mode& mode = out.treated[d].mode;
    if (mode.policy != options.mode.policy)
      out.notes.push_back(fmt::format("domain '{}' has {} images: blend with a prior of {:g} images in place of {}",
                                      out.domains.names[d], out.treated[d].images.size(), *mode.prior_images,
                                      options.mode.name));
  }
  return out;
}

}  // namespace shiftnorm::toolkit
