#include "runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>

#include "result_cache.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/results/domain_index.hpp"
#include "shiftnorm/toolkit/advice.hpp"
#include "shiftnorm/toolkit/cohort.hpp"
#include "shiftnorm/toolkit/domains.hpp"
#include "shiftnorm/toolkit/plan.hpp"
#include "shiftnorm/toolkit/protocol.hpp"
#include "shiftnorm/toolkit/scoring.hpp"
#include "shiftnorm/toolkit/statistics.hpp"
#include "target_mixture.hpp"

namespace shiftnorm::toolkit {
namespace {

/// Images of two ascending lists.
std::vector<std::size_t> in_both(const std::vector<std::size_t>& a, const std::vector<std::size_t>& b) {
  std::vector<std::size_t> out;
  std::ranges::set_intersection(a, b, std::back_inserter(out));
  return out;
}

/// The modes of a run, one after the other, into its outcome.
class Runner {
 public:
  Runner(const config::Config& config, const RunOptions& options, Session& session, RunOutcome& outcome,
         const Progress& progress)
      : config_(config),
        options_(options),
        session_(session),
        outcome_(outcome),
        progress_(progress),
        split_(held_out() ? split_images(session, config.protocol, config.seed)
                          : Split{"", every_image(session.images.count), every_image(session.images.count)}),
        work_(options.cache->work(SessionCache::Part::target, session.engine, session.store)),
        scorer_(scorer_of(session, split_.evaluate, config.evaluate, config.seed, options.threads, options.show_domains,
                          outcome.results)),
        mixtures_(session, config.seed) {
    work_->begin_run(outcome.results.id, config.modes, options.kept);
    describe_protocol();
    if (config.target.domain) part_into_domains();
    if (!domains_) check_patients(facts_of({}).patients, {});
  }

  /// Of the first mode that does.
  void tell_of_spills() const {
    if (!options_.tell || streaming()) return;
    const std::vector<ExpectedWork> expected = expected_work(config_.modes, !held_out());
    // Domains are measured one beside the other: the largest alone.
    const auto largest = [&](const std::vector<std::size_t>& whole) {
      return domains_ ? std::ranges::max(domains_->images, {}, &std::vector<std::size_t>::size) : whole;
    };
    const adapt::Images measured = subset(session_.images, largest(split_.adapt)),
                        scored = subset(session_.images, largest(split_.evaluate));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const adapt::Mode& mode = config_.modes[i];
      if (!expected[i].measures && adapt::exportable(mode.policy)) continue;
      const auto note = note_on_spill(*session_.engine, mode, expected[i].measures ? measured : scored,
                                      expected[i].gives_outputs, progress_);
      if (!note) continue;
      options_.tell(fmt::format("mode '{}': {}", mode.name, *note));
      return;
    }
  }

  void run(const adapt::Mode& mode) {
    progress_.check();
    progress_.within("mode", mode.name);
    try {
      if (domains_)
        run_domains(mode, progress_);
      else if (streaming())
        run_stream(mode, progress_);
      else
        run_whole(mode, progress_);
    } catch (const Error&) {
      rethrow_at(fmt::format("mode '{}'", mode.name));
    }
  }

  void finish() {
    progress_.within("mode", "");
    // Comparisons come last: `source` need not be the first mode.
    std::vector<results::ModeReport>& modes = outcome_.results.modes;
    const auto source =
        std::ranges::find_if(modes, [](const results::ModeReport& report) { return report.mode.is_source(); });
    for (results::ModeReport& report : modes) {
      if (source == modes.end() || &report == &*source) continue;
      scorer_.compare(report, *source);
      for (results::ModeReport& after : report.after) scorer_.compare(after, *source);
    }
    if (domains_) outcome_.domains_json = results::domain_index(domains_->key, domain_files_);
  }

 private:
  /// Before the work: an export that will be refused at the end must not be waited for.
  void check_patients(const std::optional<std::int64_t>& patients, const std::string& domain) {
    const auto mode = std::ranges::find_if(config_.modes, [&](const adapt::Mode& m) { return exports(m); });
    if (mode == config_.modes.end() || !adapt::measures(mode->policy)) return;
    check_cohort(patients, small_cohort(), domain);
    for (std::string& note : notes_on_cohort(patients, domain)) outcome_.notes.push_back(std::move(note));
  }
  [[nodiscard]] bool small_cohort() const {
    return options_.small_cohort || (config_.exported && config_.exported->small_cohort);
  }
  [[nodiscard]] bool exports(const adapt::Mode& mode) const {
    return config_.exported && config_.exported->mode == mode.name;
  }
  void exported_as(const adapt::Mode& mode, const std::filesystem::path& path) {
    outcome_.results.exported_mode = mode.name;
    outcome_.results.exported_file = path.filename().string();
  }
  [[nodiscard]] ExportFacts facts(const std::filesystem::path& file, const adapt::Mode& mode,
                                  const adapt::ModeResult& result) const {
    ExportFacts known;
    known.file_name = file.filename().string();
    known.mode = mode;
    known.images = result.adapted_images;
    known.small_cohort = small_cohort();
    known.to_inference = config_.exported && config_.exported->to_inference;
    return known;
  }
  [[nodiscard]] const stats::Statistics& source() const {
    static const stats::Statistics none;
    return session_.engine->source_known() ? session_.engine->source() : none;
  }
  /// A note of the mode reported last.
  void tell(const adapt::Mode& mode, const std::string& note) {
    outcome_.notes.push_back(fmt::format("mode '{}': {}", mode.name, note));
    std::string& all = outcome_.results.modes.back().note;
    all += fmt::format("{}{}", all.empty() ? "" : "; ", note);
  }
  /// For the mode reported last.
  void tell_reused(results::ReusedFrom reused) {
    results::ModeReport& report = outcome_.results.modes.back();
    const auto note = [&](std::string_view what, const std::string& by) {
      if (!by.empty())
        report.note += fmt::format("{}{} computed with mode '{}'", report.note.empty() ? "" : "; ", what, by);
    };
    if (reused.adapt == reused.evaluate) {
      note("statistics and outputs were", reused.adapt);
    } else {
      note("statistics were", reused.adapt);
      note("outputs were", reused.evaluate);
    }
    report.reused = std::move(reused);
  }
  void tell_left_out(const adapt::Mode& mode, const adapt::ModeResult& result, const std::vector<std::size_t>& images) {
    for (const adapt::LeftOut& one : result.left_out)
      tell(mode, fmt::format("{}: {}; left out", session_.store->sample(images.at(one.image)).id, one.reason));
  }
  /// The images that a mode's batches are made of.
  [[nodiscard]] const std::vector<std::size_t>& grouped_images(const adapt::Mode& mode) const {
    return adapt::measures(mode.policy) ? split_.adapt : split_.evaluate;
  }
  void tell_of_batches(const adapt::Mode& mode) {
    std::vector<std::int32_t> labels;
    for (const std::size_t i : grouped_images(mode)) labels.push_back(session_.store->sample(i).label);
    for (const std::string& note : notes_on_batches(mode, labels)) tell(mode, note);
    if (held_out() && !session_.engine->fixed(mode))
      tell(mode, "takes its statistics from the images that are scored, held out or not");
  }

  [[nodiscard]] bool held_out() const { return config_.protocol.kind == config::ProtocolKind::held_out; }
  [[nodiscard]] bool streaming() const { return config_.protocol.kind == config::ProtocolKind::streaming; }
  [[nodiscard]] DataFacts facts_of(std::span<const adapt::LeftOut> left_out) const {
    return with_split(held_out() ? data_facts(session_, split_.adapt, left_out) : data_facts(session_, left_out));
  }
  [[nodiscard]] DataFacts facts_of_domain(std::size_t d, std::span<const adapt::LeftOut> left_out) const {
    return with_split(data_facts(session_, *domains_, d, left_out));
  }
  [[nodiscard]] DataFacts with_split(DataFacts facts) const {
    if (held_out())
      facts.drawn += fmt::format("{}a share of {} held in by {}, seed {}", facts.drawn.empty() ? "" : "; ",
                                 config_.protocol.adapt, split_.by, config_.seed);
    return facts;
  }

  void describe_protocol() {
    results::RunResults& results = outcome_.results;
    results.protocol = name_of(config_.protocol.kind);
    results.labels = scorer_.labels;
    results.findings = scorer_.findings;
    if (streaming()) results.stream_batch = config_.protocol.batch;
    if (!held_out()) return;
    results.ids.clear();
    for (const std::size_t i : split_.evaluate) results.ids.push_back(session_.store->sample(i).id);
    results::SplitFacts& facts = results.split.emplace();
    facts.by = split_.by;
    facts.share = config_.protocol.adapt;
    facts.adapt_images = static_cast<std::int64_t>(split_.adapt.size());
    facts.evaluate_images = static_cast<std::int64_t>(split_.evaluate.size());
    if (!session_.patients.known()) return;
    facts.adapt_patients = among(session_.patients, split_.adapt).count;
    facts.evaluate_patients = among(session_.patients, split_.evaluate).count;
  }

  void part_into_domains() {
    domain_config_ = *config_.target.domain;
    domain_config_.shown = options_.show_domains;
    domains_ = find_domains(session_, domain_config_);
    outcome_.results.domain_key = domains_->key;
    scored_ = *domains_;
    for (std::size_t d = 0; held_out() && d < domains_->names.size(); ++d) {
      std::vector<std::size_t>&measured = domains_->images[d], &scored = scored_.images[d];
      measured = in_both(measured, split_.adapt);
      const std::vector<std::size_t> left = in_both(scored, split_.evaluate);
      if (measured.empty() || left.empty())
        throw ConfigError(fmt::format(
            "protocol held_out leaves domain '{}' with {} images to adapt on and {} to score; expected both "
            "(another share, another seed, or fewer domains)",
            domains_->names[d], measured.size(), left.size()));
      scored.clear();
      for (const std::size_t i : left)
        scored.push_back(
            static_cast<std::size_t>(std::ranges::lower_bound(split_.evaluate, i) - split_.evaluate.begin()));
      domains_->listed[d].clear();
      for (const std::size_t i : measured) domains_->listed[d].push_back(session_.store->listed(i));
      domains_->bad[d] = 0;
    }
    for (std::size_t d = 0; d < domains_->names.size(); ++d)
      check_patients(data_facts(session_, *domains_, d, {}).patients, domains_->names[d]);
  }

  void run_whole(const adapt::Mode& mode, const Progress& progress) {
    const CarriedOut carried = mixtures_.find(mode, split_.adapt, progress);
    ResultCache::Done done = work_->run(carried.mode, split_.adapt, split_.evaluate, progress);
    if (done.result.outputs) correct_outputs(carried.mode, session_.outputs, *done.result.outputs);
    finish_mode(carried.mode, done.result);
    outcome_.results.modes.back().mixture = carried.mixture;
    if (carried.mixture)
      for (const std::string& note : notes_on(*carried.mixture)) tell(mode, note);
    tell_reused(std::move(done.reused));
  }

  void run_stream(const adapt::Mode& asked, const Progress& progress) {
    if (asked.policy == adapt::Policy::matched)
      throw ConfigError(
          "protocol streaming with policy matched: each layer is matched on all images at once; expected protocol "
          "transductive or held_out");
    const adapt::Mode mode = in_stream(asked, config_.protocol.batch);
    ResultCache::StreamDone done = work_->run_stream(mode, config_.protocol.batch, progress);
    Streamed& streamed = done.streamed;
    adapt::ModeResult after;
    after.outputs = std::move(streamed.after);
    after.seconds = streamed.result.seconds;
    finish_mode(mode, streamed.result);
    results::ModeReport& report = outcome_.results.modes.back();
    results::ModeReport later = scorer_.report(mode, after);
    if (scorer_.findings.empty()) report.stream = batches_of(report, later);
    report.after.push_back(std::move(later));
    if (mode.semantics != asked.semantics)
      tell(mode, fmt::format("semantics {} needs all images at once: in a stream each batch is normalised by its own "
                             "statistics (semantics {})",
                             adapt::name_of(asked.semantics), adapt::name_of(mode.semantics)));
    tell_reused(std::move(done.reused));
    if (!adapt::exportable(mode.policy)) tell(mode, "keeps nothing from batch to batch: before and after are the same");
  }

  /// How many of each batch's images were right.
  [[nodiscard]] std::vector<results::StreamBatch> batches_of(const results::ModeReport& before,
                                                             const results::ModeReport& after) const {
    std::vector<results::StreamBatch> out;
    if (scorer_.labelled().empty() || before.probabilities.empty()) return out;
    const std::size_t images = scorer_.labels.size(), size = static_cast<std::size_t>(config_.protocol.batch);
    const auto guesses = [&](const results::ModeReport& report) {
      return metrics::predicted({static_cast<std::int64_t>(report.probabilities.size() / images),
                                 std::vector<std::int32_t>(images, 0), report.probabilities});
    };
    const std::vector<std::int32_t> first = guesses(before), second = guesses(after);
    for (std::size_t begin = 0; begin < images; begin += size) {
      results::StreamBatch& batch = out.emplace_back();
      std::int64_t right_before = 0, right_after = 0;
      for (std::size_t i = begin; i < std::min(images, begin + size); ++i) {
        ++batch.images;
        if (scorer_.labels[i] < 0) continue;
        ++batch.labelled;
        right_before += first[i] == scorer_.labels[i] ? 1 : 0;
        right_after += second[i] == scorer_.labels[i] ? 1 : 0;
      }
      if (batch.labelled == 0) continue;
      batch.before = static_cast<double>(right_before) / static_cast<double>(batch.labelled);
      batch.after = static_cast<double>(right_after) / static_cast<double>(batch.labelled);
    }
    return out;
  }

  /// The report of a mode's outputs, its statistics file and its export.
  void finish_mode(const adapt::Mode& mode, const adapt::ModeResult& result) {
    outcome_.results.modes.push_back(scorer_.report(mode, result));
    results::ModeReport& report = outcome_.results.modes.back();
    report.settling = settling_of(mode, result.measured, source(), result.adapted_images);
    for (const std::string& note : notes_on(mode, report.settling)) tell(mode, note);
    tell_of_batches(mode);
    tell_left_out(mode, result, grouped_images(mode));
    const std::filesystem::path path = exports(mode) ? config_.exported->path : std::filesystem::path();
    const ExportFacts known = facts(path, mode, result);
    const DataFacts data = facts_of(result.left_out);
    if (!result.measured.empty()) {
      if (!source().empty()) report.drift = stats::distances(source(), result.measured);
      if (adapt::measured_alone(mode))
        outcome_.statistics.emplace_back(stems_.take(mode.name), stats::write_statistics(statistics_file(
                                                                     session_.model, result.measured, known, data)));
    }
    if (path.empty()) return;
    outcome_.exported.push_back({path, export_checkpoint(session_.model, result.statistics, known, data)});
    exported_as(mode, path);
  }

  /// Domains one after the other, each measured on its own part and scored on the other.
  [[nodiscard]] ResultCache::DomainsDone run_held_out(const std::vector<adapt::Domain>& treated,
                                                      const Progress& progress) {
    ResultCache::DomainsDone all;
    for (std::size_t d = 0; d < treated.size(); ++d) {
      std::vector<std::size_t> scored;
      for (const std::size_t i : scored_.images[d]) scored.push_back(split_.evaluate[i]);
      ResultCache::Done done = work_->run(treated[d].mode, treated[d].images, scored, progress);
      adapt::ModeResult& one = done.result;
      const auto width = static_cast<std::size_t>(one.outputs->width);
      if (!all.results.outputs)
        all.results.outputs.emplace(
            adapt::Outputs{one.outputs->width, std::vector<float>(split_.evaluate.size() * width)});
      for (std::size_t i = 0; i < scored.size(); ++i)
        std::copy_n(one.outputs->values.begin() + static_cast<std::ptrdiff_t>(i * width), width,
                    all.results.outputs->values.begin() + static_cast<std::ptrdiff_t>(scored_.images[d][i] * width));
      all.results.seconds.adapt += one.seconds.adapt;
      all.results.seconds.evaluate += one.seconds.evaluate;
      one.outputs.reset();
      // As run_domains() counts: over all images.
      for (adapt::LeftOut& left : one.left_out)
        left.image = adapt::measures(treated[d].mode.policy) ? treated[d].images[left.image] : scored[left.image];
      all.results.domains.push_back(std::move(one));
      all.reused = std::move(done.reused);
    }
    return all;
  }

  void run_domains(const adapt::Mode& mode, const Progress& progress) {
    std::vector<adapt::Domain> treated = treatments(mode, *domains_, domain_config_);
    const std::vector<std::optional<results::MixtureFacts>> mixtures = find_mixtures(mixtures_, treated, progress);
    ResultCache::DomainsDone done =
        held_out() ? run_held_out(treated, progress) : work_->run_domains(treated, mode, progress);
    for (std::size_t d = 0; d < treated.size(); ++d)
      correct_outputs(treated[d].mode, session_.outputs, scored_.images[d], *done.results.outputs);
    const adapt::DomainResults& results = done.results;
    outcome_.results.modes.push_back(report_domains(scorer_, mode, scored_, treated, results, source()));
    for (std::size_t d = 0; d < treated.size(); ++d) {
      outcome_.results.modes.back().domains[d].mixture = mixtures[d];
      if (mixtures[d])
        for (const std::string& note : notes_on(*mixtures[d]))
          tell(mode, fmt::format("domain '{}': {}", domains_->names[d], note));
    }
    tell_reused(std::move(done.reused));
    tell_of_batches(mode);
    for (std::size_t d = 0; d < treated.size(); ++d) {
      const adapt::ModeResult& result = results.domains[d];
      tell_left_out(mode, result, every_image(session_.images.count));
      const DataFacts data = facts_of_domain(d, result.left_out);
      const std::filesystem::path path =
          exports(mode) ? domain_path(config_.exported->path, domains_->stems[d]) : std::filesystem::path();
      ExportFacts known = facts(path, treated[d].mode, result);
      known.domain = domains_->names[d];
      results::DomainFile file{mode.name,
                               domains_->names[d],
                               std::string(adapt::name_of(treated[d].mode.policy)),
                               static_cast<std::int64_t>(treated[d].images.size()),
                               "",
                               path.filename().string()};
      if (!result.measured.empty() && adapt::measured_alone(mode)) {
        const std::string stem = stems_.take(fmt::format("{}.{}", mode.name, domains_->stems[d]));
        file.statistics = stem + ".bnstats";
        outcome_.statistics.emplace_back(
            stem, stats::write_statistics(statistics_file(session_.model, result.measured, known, data)));
      }
      if (!path.empty())
        outcome_.exported.push_back({path, export_checkpoint(session_.model, result.statistics, known, data)});
      domain_files_.push_back(std::move(file));
    }
    if (exports(mode)) exported_as(mode, domain_path(config_.exported->path, "*"));
  }

  const config::Config& config_;
  const RunOptions& options_;
  Session& session_;
  RunOutcome& outcome_;
  const Progress& progress_;
  Split split_;
  std::shared_ptr<ResultCache> work_;
  Scorer scorer_;
  MixtureFinder mixtures_;
  config::DomainConfig domain_config_;
  std::optional<Domains> domains_;  ///< images: of the store, those that are measured
  Domains scored_;                  ///< images: by their place among those that are scored
  std::vector<results::DomainFile> domain_files_;
  FileStems stems_;
};

}  // namespace

void run_modes(const config::Config& config, const RunOptions& options, Session& session, RunOutcome& outcome,
               const Progress& progress) {
  Runner runner(config, options, session, outcome, progress);
  runner.tell_of_spills();
  for (const adapt::Mode& mode : config.modes) runner.run(mode);
  runner.finish();
}

}  // namespace shiftnorm::toolkit
