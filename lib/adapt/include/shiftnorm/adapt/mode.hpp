#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shiftnorm/core/names.hpp"

namespace shiftnorm::adapt {

/// How the network is normalised while it is measured.
enum class Semantics { layerwise, batch, source };
inline constexpr auto kSemantics = names<Named<Semantics>>(
    "semantics", {{"layerwise", Semantics::layerwise}, {"batch", Semantics::batch}, {"source", Semantics::source}});

/// How the measured numbers are combined.
enum class Estimator { population, batch_mean, ema, ema_reset, dua };
inline constexpr auto kEstimators = names<Named<Estimator>>("estimator", {{"population", Estimator::population},
                                                                          {"batch-mean", Estimator::batch_mean},
                                                                          {"ema", Estimator::ema},
                                                                          {"ema-reset", Estimator::ema_reset},
                                                                          {"dua", Estimator::dua}});

/// Which statistics the network then uses.
enum class Policy {
  source,
  adabn,
  blend,
  mixture,
  mean_only,
  variance_only,
  batch,
  instance,
  hybrid_decay,
  matched,
  disabled,
  identity,
  normalise_only
};
/// A policy's name, and what is known of it.
struct PolicyFacts {
  std::string_view name;
  Policy value;
  bool measures;    ///< needs statistics of the target, and so an adapt stage
  bool exportable;  ///< a file can hold its result: it is one set of statistics
  bool weighted;    ///< takes source_weight or prior_images
};
inline constexpr auto kPolicies =
    names<PolicyFacts>("policy", {{"source", Policy::source, false, true, false},
                                  {"adabn", Policy::adabn, true, true, false},
                                  {"blend", Policy::blend, true, true, true},
                                  {"mixture", Policy::mixture, true, true, true},
                                  {"mean-only", Policy::mean_only, true, true, false},
                                  {"variance-only", Policy::variance_only, true, true, false},
                                  {"batch", Policy::batch, false, false, true},
                                  {"instance", Policy::instance, false, false, true},
                                  {"hybrid-decay", Policy::hybrid_decay, true, true, false},
                                  {"matched", Policy::matched, true, true, false},
                                  {"disabled", Policy::disabled, false, true, false},
                                  {"identity", Policy::identity, false, true, false},
                                  {"normalise-only", Policy::normalise_only, false, true, false}});

/// Where the target's mixture of classes comes from that policy `matched` takes its images to have.
enum class SharesFrom {
  estimate,  ///< told from moments and outputs, without a label; may not be possible
  labels,    ///< counted
  given      ///< known prevalence
};
inline constexpr auto kSharesFrom = names<Named<SharesFrom>>(
    "shares", {{"estimate", SharesFrom::estimate}, {"labels", SharesFrom::labels}, {"given", SharesFrom::given}});

/// Classes, or findings, and their shares.
using ShareList = std::vector<std::pair<std::string, double>>;

struct Shares {
  SharesFrom from = SharesFrom::estimate;
  ShareList given;  ///< by name, ascending; with several findings each share counts alone
  friend bool operator==(const Shares&, const Shares&) = default;
};

/// Errors  ConfigError for a share that is none, a class named twice, or none at all. Sorts by name.
[[nodiscard]] Shares given_shares(ShareList shares);
/// `estimate`, `labels` or `class=share,class=share`.
[[nodiscard]] Shares parse_shares(const std::string& text);

struct Mixture;

/// Which BatchNorm layers take part; the others keep the source, also while measuring. All conditions must hold.
struct LayerRule {
  std::vector<std::string> include;  ///< patterns with * and ?; empty: all
  std::vector<std::string> exclude;
  std::optional<std::int64_t> first, last;  ///< the first / last n in graph order
  std::optional<std::int64_t> min_level, max_level;
  friend bool operator==(const LayerRule&, const LayerRule&) = default;
};

/// One treatment of BatchNorm, as an experiment names it.
struct Mode {
  std::string name;
  Policy policy = Policy::adabn;
  Semantics semantics = Semantics::layerwise;
  Estimator estimator = Estimator::population;
  std::int64_t batch = 64;               ///< images per group of `batch` semantics and policy; at least 1
  std::optional<double> momentum;        ///< PyTorch's p in (0, 1]; absent: the layer's own
  std::optional<std::uint64_t> shuffle;  ///< seed of the order of batches; absent: arrival order
  std::optional<double> source_weight;   ///< lambda in [0, 1]
  std::optional<double> prior_images;    ///< N >= 0: lambda = N / (N + n)
  Shares shares;                         ///< of policy `matched`, as asked for
  bool prior_correction = false;         ///< outputs are corrected for those shares too
  LayerRule layers;
  /// What `matched` is carried out with: the asked shares found out, and the reference under them. Null until then.
  std::shared_ptr<const Mixture> mixture;
  friend bool operator==(const Mode&, const Mode&) = default;
};

/// Every problem of a mode at once, each in one line; empty when it can be run (docs/reference/estimators.md).
[[nodiscard]] std::vector<std::string> problems(const Mode& mode);
/// Errors  ConfigError with all the mode's problems in one line, behind `where`; without it, the mode's name.
void require_valid(const Mode& mode, std::string_view where = {});

/// What a mode does in one stable line: every field that has a meaning for it, and not what it is called. Two modes
/// with the same text give the same results on the same network and images: keys of caches and jobs come from it.
///   "policy=blend semantics=batch estimator=ema momentum=0.1 batch=32 shuffle=7 prior-images=16 layers.first=3"
[[nodiscard]] std::string canonical(const Mode& mode);

/// The mode that measures as this one does and uses just that: policy `adabn`, which leaves what was measured, or
/// `matched`, whose correction of one layer is in what the next one sees.
[[nodiscard]] Mode measuring_of(const Mode& mode);
/// Whether the mode uses what it measures as its measurement leaves it: a layerwise sweep ends with its outputs.
[[nodiscard]] bool uses_as_measured(const Mode& mode);
/// Whether what it measures is of the target's images alone, so that a file of it can serve any policy: not under
/// `matched`, whose layers are measured behind matched ones.
[[nodiscard]] bool measured_alone(const Mode& mode);

/// What kPolicies says of a policy.
[[nodiscard]] bool measures(Policy policy);
[[nodiscard]] bool exportable(Policy policy);
[[nodiscard]] bool weighted(Policy policy);
/// Whether the mode's result depends on how the images are grouped into batches, and in which order.
[[nodiscard]] bool in_batches(const Mode& mode);
/// Whether the file's own statistics enter the result; false where a file without any will do.
[[nodiscard]] bool needs_source(const Mode& mode);

/// Names as users write them ("mean-only"); parse throws ConfigError with the names that there are.
[[nodiscard]] std::string_view name_of(Semantics semantics);
[[nodiscard]] std::string_view name_of(Estimator estimator);
[[nodiscard]] std::string_view name_of(Policy policy);
[[nodiscard]] std::string_view name_of(SharesFrom from);
[[nodiscard]] Semantics parse_semantics(std::string_view name);
[[nodiscard]] Estimator parse_estimator(std::string_view name);
[[nodiscard]] Policy parse_policy(std::string_view name);
/// The policy of today's or a former name, if there is one.
[[nodiscard]] std::optional<Policy> find_policy(std::string_view name);
/// Earlier names that parse_policy still accepts, with the message for those who use one: why it has another now.
struct FormerName {
  std::string_view name;
  Policy policy;
  std::string_view reason;
};
[[nodiscard]] std::span<const FormerName> former_policy_names();
/// "policy hybrid is now called hybrid-decay: ..." for such a name, else empty.
[[nodiscard]] std::string note_on_policy_name(std::string_view name);

}  // namespace shiftnorm::adapt
