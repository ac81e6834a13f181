#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "result_piece.hpp"
#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/core/progress.hpp"
#include "shiftnorm/imaging/sample_store.hpp"
#include "shiftnorm/results/results.hpp"
#include "shiftnorm/toolkit/protocol.hpp"
#include "shiftnorm/toolkit/resume_store.hpp"

namespace shiftnorm::toolkit {

/// What the modes of a run ask of an engine, and those of later runs on the same engine and samples: each measurement
/// and each evaluation is done once. Measuring does not depend on the policy, and outputs depend on statistics and
/// images alone, so that what is reused has the bits of what would have been computed. Lists of images hold
/// places in the store, ascending. Not thread-safe.
class ResultCache {
 public:
  using List = std::vector<std::size_t>;

  /// samples: which of a run's they are, for what is kept of it.
  ResultCache(std::shared_ptr<adapt::Engine> engine, std::shared_ptr<imaging::SampleStore> store, std::string samples);

  [[nodiscard]] bool is_on(const adapt::Engine& engine, const imaging::SampleStore& store) const {
    return engine_.get() == &engine && store_.get() == &store;
  }

  /// What is asked from now on is of this run: what an earlier one did is reported as such, and outputs that come out
  /// of a measurement are kept only where one of its modes uses them. What is computed goes to `kept`, too, and what is
  /// there is not computed; it outlives the run. Null: nothing is kept.
  void begin_run(std::string id, std::vector<adapt::Mode> modes, const ResumeStore* kept);

  struct Done {
    adapt::ModeResult result;  ///< seconds: of what was not reused
    results::ReusedFrom reused;
  };
  /// As adapt::Engine::run() on these lists.
  [[nodiscard]] Done run(const adapt::Mode& mode, const List& adapt, const List& evaluate, const Progress& progress);

  struct StreamDone {
    Streamed streamed;
    results::ReusedFrom reused;
  };
  /// As stream() of all samples; `mode` is in_stream().
  [[nodiscard]] StreamDone run_stream(const adapt::Mode& mode, std::int64_t batch, const Progress& progress);

  struct DomainsDone {
    adapt::DomainResults results;
    results::ReusedFrom reused;
  };
  /// As adapt::Engine::run_domains() on all samples.
  [[nodiscard]] DomainsDone run_domains(std::span<const adapt::Domain> domains, const adapt::Mode& asked,
                                        const Progress& progress);

 private:
  using Found = std::shared_ptr<const ResultPiece>;

  [[nodiscard]] Found find(const std::string& key);
  [[nodiscard]] std::string kept_name(std::string_view key) const;
  [[nodiscard]] bool fits(const ResultPiece& piece) const;
  void keep(const ResultPiece& piece) const;
  [[nodiscard]] std::optional<ResultPiece> kept(const std::string& key) const;
  [[nodiscard]] adapt::ModeResult measure(const adapt::Mode& measuring, const std::string& key,
                                          const adapt::Images& images, bool outputs, const Progress& progress);
  Found put(ResultPiece piece);   ///< keeps and holds
  Found hold(ResultPiece piece);  ///< in memory
  [[nodiscard]] ResultPiece piece_by(const adapt::Mode& mode, std::string key) const;
  [[nodiscard]] adapt::Images images(const List& list) const;
  [[nodiscard]] bool gives_outputs(const adapt::Mode& measuring) const;
  [[nodiscard]] bool shareable(const adapt::Mode& mode) const;

  Found measured(const adapt::Mode& mode, const List& adapt, const List& evaluate, const Progress& progress);
  std::vector<Found> measured(std::span<const adapt::Domain> domains, const adapt::Mode& asked,
                              const Progress& progress);
  Found evaluated(const adapt::Mode& mode, const stats::Statistics& statistics, const List& evaluate,
                  const Progress& progress);
  [[nodiscard]] Done direct(const adapt::Mode& mode, const List& adapt, const List& evaluate, const Progress& progress);
  [[nodiscard]] DomainsDone direct(std::span<const adapt::Domain> domains, const adapt::Mode& asked,
                                   const Progress& progress);
  /// Whether this mode did a piece; else `taken` is set to the one that did.
  [[nodiscard]] bool own(const ResultPiece& piece, const adapt::Mode& mode, std::string& taken) const;

  std::shared_ptr<adapt::Engine> engine_;
  std::shared_ptr<imaging::SampleStore> store_;
  std::string samples_, run_;
  const ResumeStore* kept_ = nullptr;
  std::vector<adapt::Mode> modes_;
  std::list<Found> pieces_;  ///< oldest first
  std::uint64_t bytes_ = 0;
};

/// What a mode will do of its own.
struct ExpectedWork {
  bool measures = false, evaluates = true;
  bool gives_outputs = false;  ///< its measurement gives the outputs under what it measured
  results::ReusedFrom reused;
};
/// For modes one after the other. same_images: those that are scored are those that are measured.
[[nodiscard]] std::vector<ExpectedWork> expected_work(const std::vector<adapt::Mode>& modes, bool same_images);

}  // namespace shiftnorm::toolkit
