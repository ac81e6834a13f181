#include "shiftnorm/adapt/engine.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "batching.hpp"
#include "bound_network.hpp"
#include "evaluating.hpp"
#include "image_pass.hpp"
#include "left_out.hpp"
#include "measuring.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/stopwatch.hpp"

namespace shiftnorm::adapt {
namespace {

/// The images of each domain; together they are all images once.
Groups groups_of(std::span<const Domain> domains, std::size_t count) {
  Groups groups;
  std::vector<bool> seen(count, false);
  std::size_t total = 0;
  for (const Domain& domain : domains) {
    if (domain.images.empty()) throw Error("a domain has no images; expected at least one");
    for (const std::size_t i : domain.images) {
      if (i >= count || seen[i]) throw Error(fmt::format("image {} is in no data set or in two domains", i));
      seen[i] = true;
    }
    total += domain.images.size();
    groups.push_back(domain.images);
  }
  if (total != count) throw Error(fmt::format("{} of {} images have a domain; expected all", total, count));
  return groups;
}

/// What is evaluated once the domains' statistics are known.
struct Evaluation {
  const Images* images = nullptr;  ///< null: nothing
  Groups domains;                  ///< of them, under whose statistics
  bool measured_too = false;       ///< they are the images that are measured
};

/// One run: every domain is measured apart from the others, all in one sweep, gets its policy, and has its images
/// evaluated under what that leaves. A data set as a whole is one domain.
class Run {
 public:
  Run(BoundNetwork& network, const Groups& groups, std::vector<Mode> modes, const Progress& progress)
      : network_(network), groups_(groups), modes_(std::move(modes)), progress_(progress) {
    for (const Mode& mode : modes_) {
      require_valid(mode);
      network_.require_source(mode);
      network_.require_mixture(mode);
    }
    for (const Mode& mode : modes_)
      if (alike(mode) != alike(measuring()))
        throw Error(fmt::format("domains are measured as '{}' and as '{}'; expected one way for all", alike(mode),
                                alike(measuring())));
    results_.domains.resize(groups_.size());
  }

  DomainResults run(const Images& images, const Evaluation& evaluation, stats::Statistics* reached) {
    const bool measured =
        std::any_of(modes_.begin(), modes_.end(), [](const Mode& mode) { return measures(mode.policy); });
    targets_.assign(groups_.size(), network_.source);
    if (measured) measure(images, evaluation.measured_too, reached);
    const Stopwatch evaluating;
    for (std::size_t d = 0; d < modes_.size(); ++d)
      if (exportable(modes_[d].policy)) apply(modes_[d], measured, results_.domains[d], targets_[d]);
    if (evaluation.images == nullptr) return std::move(results_);
    require_images(*evaluation.images);
    if (network_.fixed(measuring()))
      infer(evaluation);
    else
      evaluate_groups(evaluation);
    results_.seconds.evaluate = evaluating.seconds();
    return std::move(results_);
  }

 private:
  /// How a domain is measured, or normalised by the group, is the same for all; what the policy then is may differ.
  [[nodiscard]] const Mode& measuring() const { return modes_.front(); }
  [[nodiscard]] std::string alike(const Mode& mode) const {
    Mode how = network_.fixed(mode) ? measuring_of(mode) : mode;
    how.mixture = nullptr;
    return canonical(how);
  }

  void measure(const Images& images, bool evaluated, stats::Statistics* reached) {
    const Stopwatch adapting;
    const bool swept = evaluated && std::any_of(modes_.begin(), modes_.end(), uses_as_measured);
    if (swept) results_.outputs.emplace();
    UsableImages usable(groups_, results_.domains);
    usable.run(
        [&](const Groups& domains) {
          targets_ = adapt::measure(network_, modes_, domains, images, swept ? &*results_.outputs : nullptr, reached,
                                    progress_);
        },
        [&] {  // what was reached holds the image already
          if (reached != nullptr) reached->clear();
          reached = nullptr;
        });
    // Images that were left out have no outputs yet.
    if (!usable.complete()) results_.outputs.reset();
    from_sweep_ = results_.outputs.has_value();
    for (std::size_t d = 0; d < modes_.size(); ++d)
      results_.domains[d].adapted_images = static_cast<std::int64_t>(usable.domains()[d].size());
    results_.seconds.adapt = adapting.seconds();
  }

  void apply(const Mode& mode, bool measured, ModeResult& result, stats::Statistics& target) const {
    result.statistics = apply_policy(mode, network_.layers(), network_.source, target, result.adapted_images);
    if (measured) result.measured = std::move(target);
  }

  void infer(const Evaluation& evaluation) {
    if (!results_.outputs) results_.outputs.emplace();
    for (std::size_t d = 0; d < modes_.size(); ++d)
      if (!(from_sweep_ && uses_as_measured(modes_[d])))
        adapt::infer(network_, results_.domains[d].statistics, evaluation.domains[d], *evaluation.images,
                     *results_.outputs, progress_);
  }

  void evaluate_groups(const Evaluation& evaluation) {
    Outputs& outputs = results_.outputs.emplace();
    UsableImages usable(evaluation.domains, results_.domains);
    usable.run(
        [&](const Groups& domains) {
          adapt::evaluate_groups(network_, measuring(), domains, *evaluation.images, outputs, progress_);
        },
        [] {});
    for (const ModeResult& result : results_.domains)
      for (const LeftOut& one : result.left_out) say_nothing(one.image, outputs);
  }

  BoundNetwork& network_;
  const Groups& groups_;
  std::vector<Mode> modes_;  ///< one per domain
  const Progress& progress_;
  std::vector<stats::Statistics> targets_;  ///< one per domain
  bool from_sweep_ = false;                 ///< there are outputs of domains with uses_as_measured()
  DomainResults results_;
};

ModeResult run_whole(BoundNetwork& network, const Mode& mode, const Images& adapt, const Evaluation& evaluation,
                     const Progress& progress, stats::Statistics* reached) {
  DomainResults results = Run(network, one_group(adapt.count), {mode}, progress).run(adapt, evaluation, reached);
  ModeResult result = std::move(results.domains.front());
  result.outputs = std::move(results.outputs);
  result.seconds = results.seconds;
  return result;
}

}  // namespace

struct Engine::State : BoundNetwork {
  using BoundNetwork::BoundNetwork;
};

Engine::Engine(const graph::Graph& graph, const EngineOptions& options)
    : state_(std::make_unique<State>(graph, options)) {}
Engine::~Engine() = default;

const std::vector<graph::BatchNorm>& Engine::batch_norms() const noexcept { return state_->layers(); }
std::int64_t Engine::outputs() const noexcept { return state_->whole.plan->output_floats(); }
const stats::Statistics& Engine::source() const noexcept { return state_->source; }
bool Engine::source_known() const noexcept { return state_->source_known; }
bool Engine::fixed(const Mode& mode) const { return state_->fixed(mode); }
std::vector<bool> Engine::taking_part(const Mode& mode) const { return state_->measured_by(mode.layers); }

stats::Statistics Engine::measure(const Mode& mode, const Images& adapt, const Progress& progress) {
  return std::move(
      adapt::measure(*state_, {&mode, 1}, one_group(adapt.count), adapt, nullptr, nullptr, progress).front());
}

Outputs Engine::infer(const stats::Statistics& statistics, const Images& images, const Progress& progress) {
  require_images(images);
  Outputs outputs;
  adapt::infer(*state_, statistics, one_group(images.count).front(), images, outputs, progress);
  return outputs;
}

ModeResult Engine::run(const Mode& mode, const Images& adapt, const Images* evaluate, const Progress& progress,
                       stats::Statistics* reached) {
  const Evaluation others{evaluate, one_group(evaluate != nullptr ? evaluate->count : 0), false};
  return run_whole(*state_, mode, adapt, others, progress, reached);
}

ModeResult Engine::run(const Mode& mode, const Images& images, SameImages /*evaluate*/, const Progress& progress,
                       stats::Statistics* reached) {
  return run_whole(*state_, mode, images, {&images, one_group(images.count), true}, progress, reached);
}

DomainResults Engine::run_domains(std::span<const Domain> domains, const Images& images, bool evaluate,
                                  const Progress& progress) {
  require_images(images);
  const Groups groups = groups_of(domains, images.count);
  std::vector<Mode> modes;
  for (const Domain& domain : domains) modes.push_back(domain.mode);
  return Run(*state_, groups, std::move(modes), progress)
      .run(images, {evaluate ? &images : nullptr, groups, evaluate}, nullptr);
}

std::vector<LeftOut> Engine::each_image(const stats::Statistics& statistics, const Images& images,
                                        std::string_view stage, const std::function<void(const SeenImage&)>& seen,
                                        const std::function<void()>& start_again, const Progress& progress) {
  require_images(images);
  const Groups all = one_group(images.count);
  std::vector<ModeResult> results(1);
  UsableImages usable(all, results);
  usable.run([&](const Groups& kept) { pass_images(*state_, statistics, kept.front(), images, stage, seen, progress); },
             start_again);
  return std::move(results.front().left_out);
}

PartlyMatched Engine::match_first(const Mode& mode, std::size_t count, const Images& images, const Progress& progress) {
  require_valid(mode);
  state_->require_source(mode);
  state_->require_mixture(mode);
  require_images(images);
  const Groups all = one_group(images.count);
  std::vector<ModeResult> results(1);
  UsableImages usable(all, results);
  PartlyMatched out;
  usable.run(
      [&](const Groups& kept) {
        out.measured = measure_partly_matched(*state_, mode, count, kept, images, out.outputs, progress);
      },
      [] {});
  out.images = usable.domains().front();
  return out;
}

Cost Engine::cost(const Mode& mode, std::size_t images, bool outputs) const {
  require_valid(mode);
  const bool in_groups = !state_->fixed(mode);
  if (!in_groups && !measures(mode.policy)) return {};
  const exec::SweepEstimate found = estimate(*state_, mode, images, outputs || in_groups);
  return {found.carried_bytes, found.moved_bytes, found.local_bytes, found.spills};
}

}  // namespace shiftnorm::adapt
