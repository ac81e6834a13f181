#include "shiftnorm/pacs/pull.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "find.hpp"
#include "object_store.hpp"
#include "pull_state.hpp"
#include "retrieve.hpp"
#include "shiftnorm/core/stopwatch.hpp"
#include "sop_classes.hpp"

namespace shiftnorm::pacs {
namespace {

struct Study {
  std::string uid;
  std::vector<Found> series;
};

/// A series on its way.
struct Job {
  const Found* series = nullptr;
  std::string id;
  std::set<std::string> expected;  ///< empty: the archive does not say
  std::set<std::string> stored;
  std::size_t open = 0;  ///< requests that are still to be made
  std::int64_t already = 0, refused = 0;
  Outcome outcome;
};

class Pull {
 public:
  Pull(const PullOptions& options, const Progress& progress)
      : options_(options),
        progress_(progress),
        link_{options.title, options.peer, options.tls, options.timeout_seconds, progress},
        network_(link_),
        mover_(network_, link_) {
    if (options.method == Method::move && !options.dry_run) network_.listen(options.move_port);
  }

  PullResult run() {
    survey();
    if (options_.dry_run) return std::move(result_);
    const ProjectKey key(options_.key_folder);
    PullState state(options_.out, key);  // first: its lock says that what lies there half is nobody's
    ObjectStore store(options_.out, key, options_.max_bytes);
    progress_.tell("pull", 0, total_);
    for (const Study& study : studies_) {
      progress_.check();
      fetch(study, store, state);
    }
    progress_.tell("pull", total_, total_);
    result_.bytes = store.bytes_received();
    result_.transfer_syntaxes = store.syntaxes();
    result_.objects.matching = result_.objects.received + result_.objects.already + result_.objects.failed;
    return std::move(result_);
  }

 private:
  /// Which studies and series match, and how many objects they have.
  void survey() {
    Finder finder(network_, options_.query);
    const std::vector<Found> found = finder.studies();
    std::int64_t done = 0;
    for (const Found& study : found) {
      progress_.check();
      std::vector<Found> series = finder.series(study.uid);
      progress_.tell("find", ++done, static_cast<std::int64_t>(found.size()));
      if (series.empty()) continue;
      for (Found& one : series) {
        if (!one.objects) {
          const auto objects = static_cast<std::int64_t>(finder.instances(study.uid, one.uid).size());
          if (objects > 0) one.objects = objects;
        }
        if (!one.objects) result_.objects_known = false;
        total_ += one.objects.value_or(0);
      }
      result_.series.matching += static_cast<std::int64_t>(series.size());
      studies_.push_back({study.uid, std::move(series)});
    }
    result_.studies.matching = static_cast<std::int64_t>(studies_.size());
    result_.objects.matching = total_;
    if (finder.left_out() > 0)
      result_.notes.push_back(fmt::format(
          "the archive's answers included {} studies or series that do not match, or lack a queried value; left out",
          finder.left_out()));
    finder.close();
  }

  [[nodiscard]] static bool is_there(const Found& series, const std::string& id, const ObjectStore& store,
                                     const PullState& state) {
    const std::int64_t recorded = state.objects(id);
    return recorded > 0 && store.count(id) >= recorded && series.objects.value_or(recorded) <= recorded;
  }

  void advance(std::int64_t objects) {
    done_ += objects;
    progress_.tell("pull", std::min(done_, total_), total_);
  }

  void fetch(const Study& study, ObjectStore& store, PullState& state) {
    std::vector<Job> jobs;
    for (const Found& series : study.series) {
      std::string id = store.series_id(study.uid, series.uid);
      if (is_there(series, id, store, state)) {
        ++result_.series.already;
        result_.objects.already += state.objects(id);
        advance(state.objects(id));
      } else {
        jobs.push_back({&series, std::move(id)});
      }
    }
    if (jobs.empty()) {
      ++result_.studies.already;
      return;
    }
    const std::int64_t failed_before = result_.series.failed;
    std::vector<Retrieval> retrievals = planned(study, jobs, store);
    for (Job& job : jobs)
      if (job.open == 0) finish(job, state);  // every object was there, only the record was missing
    if (options_.method == Method::get) {
      for (const std::vector<Retrieval>& group : associations_of(std::move(retrievals)))
        converse(get_contexts(group), group, jobs, store, state);
    } else if (!retrievals.empty()) {
      converse({{std::string(kStudyRootMove), {std::string(kImplicitLittle)}}}, retrievals, jobs, store, state);
    }
    ++(result_.series.failed == failed_before ? result_.studies.received : result_.studies.failed);
  }

  /// What is still to be asked for, from the archive's answers at the level of objects.
  std::vector<Retrieval> planned(const Study& study, std::vector<Job>& jobs, const ObjectStore& store) {
    Finder finder(network_, options_.query);
    std::vector<Retrieval> retrievals;
    for (Job& job : jobs) {
      const std::vector<Instance> all = finder.instances(study.uid, job.series->uid);
      std::vector<Instance> missing;
      for (const Instance& one : all) {
        job.expected.insert(one.uid);
        if (!store.has(job.id, one.uid)) missing.push_back(one);
      }
      job.already = static_cast<std::int64_t>(all.size() - missing.size());
      advance(job.already);
      if (!all.empty() && missing.empty()) continue;
      const auto parts = retrievals_of(study.uid, job.series->uid, missing, job.already == 0,
                                       classes_of_modality(job.series->modality));
      job.open = parts.size();
      retrievals.insert(retrievals.end(), parts.begin(), parts.end());
    }
    finder.close();
    return retrievals;
  }

  void converse(const std::vector<Context>& contexts, const std::vector<Retrieval>& retrievals, std::vector<Job>& jobs,
                ObjectStore& store, PullState& state) {
    Association association = network_.request(contexts);
    for (const Retrieval& one : retrievals) {
      Job& job = *std::ranges::find_if(jobs, [&](const Job& j) { return j.series->uid == one.series; });
      Intake intake{store, job.id, job.expected, [this] { advance(1); }};
      const Outcome outcome =
          options_.method == Method::get ? get(association, one, intake) : mover_.move(association, one, intake);
      job.stored.merge(intake.stored);
      job.refused += intake.refused;
      job.outcome.failed += outcome.failed;
      if (outcome.status != kSuccess) job.outcome.status = outcome.status;
      if (--job.open == 0) finish(job, state);
    }
    association.release();
  }

  /// Counts what came, and records a series that came whole. The archive's word alone is not taken.
  void finish(const Job& job, PullState& state) {
    const auto received = static_cast<std::int64_t>(job.stored.size());
    const bool told = !job.expected.empty();
    const std::int64_t missing =
        told ? static_cast<std::int64_t>(job.expected.size()) - job.already - received
             : std::max(job.outcome.failed, std::max<std::int64_t>(job.series->objects.value_or(0) - received, 0));
    const bool whole = missing == 0 && (told || (job.outcome.status == kSuccess && received > 0));
    result_.objects.received += received;
    result_.objects.already += job.already;
    if (job.refused > 0)
      result_.notes.push_back(fmt::format("{} objects arrived that were not requested; refused", job.refused));
    if (whole) {
      ++result_.series.received;
      state.complete(job.id, job.already + received);
      return;
    }
    ++result_.series.failed;
    result_.objects.failed += std::max<std::int64_t>(missing, 1);
    result_.last_failure = job.outcome.status;
  }

  const PullOptions& options_;
  const Progress& progress_;
  const Link link_;
  Network network_;
  Mover mover_;
  std::vector<Study> studies_;
  std::int64_t total_ = 0, done_ = 0;
  PullResult result_;
};

}  // namespace

std::string describe_status(std::uint16_t status) {
  struct Meaning {
    std::uint16_t status;
    std::string_view text;
  };
  // PS3.4 C.4.2.1.5 and C.4.3.1.4, PS3.7 annex C.
  constexpr Meaning kMeanings[] = {
      {0x0000, "success, it says"},
      {0x0110, "processing failure"},
      {0x0122, "it does not serve this"},
      {0x0124, "not authorised"},
      {0xA701, "out of resources"},
      {0xA702, "out of resources to send"},
      {0xA801, "it does not know where to send to"},
      {0xA900, "the request does not fit its service"},
      {0xB000, "some objects failed"},
      {0xC000, "unable to process"},
      {0xFE00, "cancelled"},
  };
  for (const Meaning& one : kMeanings)
    if (one.status == status) return fmt::format("{:04X} ({})", status, one.text);
  return fmt::format("{:04X}", status);
}

PullResult pull(const PullOptions& options, const Progress& progress) {
  const Stopwatch working;
  PullResult result = Pull(options, progress).run();
  result.seconds = working.seconds();
  return result;
}

}  // namespace shiftnorm::pacs
