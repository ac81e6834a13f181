#include "shiftnorm/toolkit/protocol.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <span>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/random.hpp"
#include "shiftnorm/core/stopwatch.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/stats/statistics_file.hpp"
#include "shiftnorm/toolkit/domains.hpp"

namespace shiftnorm::toolkit {
namespace {

/// What is never parted, by the name of the rule.
Groups groups_by(const Session& session, const std::string& by) {
  if (by == "image") return united(single(session.images.count), session.pixels);
  if (by == "patient") {
    if (!session.patients.known())
      throw ConfigError(
          "protocol.by = patient: patients are not identified; expected image, a column, or a table with patients "
          "(data.target.patient)");
    return united(session.patients, session.pixels);
  }
  return column_groups(session, by);
}

void check_apart(const Session& session, const Split& split) {
  const std::int64_t patients = shared(session.patients, split.adapt, split.evaluate),
                     pixels = shared(session.pixels, split.adapt, split.evaluate);
  std::vector<std::size_t> known;
  std::ranges::set_intersection(session.source_knows, split.evaluate, std::back_inserter(known));
  if (!known.empty())
    throw ConfigError(
        fmt::format("data.source: {} of the images that protocol held_out scores, or their patients, are in the source "
                    "sample that the network's statistics are measured on; expected other images there",
                    known.size()));
  if (patients == 0 && pixels == 0) return;
  throw ConfigError(
      fmt::format("protocol.by = {}: {} patients and the pixels of {} images lie on both sides of the split, so the "
                  "measured images leak into the scored ones; expected by: patient{}",
                  printable(split.by), patients, pixels, session.patients.known() ? "" : " or image"));
}

std::vector<std::vector<std::size_t>> members_of(const Groups& groups) {
  std::vector<std::vector<std::size_t>> members(groups.count);
  for (std::size_t i = 0; i < groups.of.size(); ++i) members[groups.of[i]].push_back(i);
  return members;
}

std::vector<std::size_t> range(std::size_t begin, std::size_t end) {
  std::vector<std::size_t> out(end - begin);
  std::iota(out.begin(), out.end(), begin);
  return out;
}

void append(const adapt::Outputs& part, adapt::Outputs& all) {
  all.width = part.width;
  all.values.insert(all.values.end(), part.values.begin(), part.values.end());
}

/// The statistics of a stream, batch after batch.
class Stream {
 public:
  Stream(adapt::Engine& engine, const adapt::Mode& mode, const adapt::Images& images)
      : engine_(engine), mode_(mode), images_(images), current_(engine.source()) {}

  /// The network as it is now.
  [[nodiscard]] const stats::Statistics& current() const { return current_; }

  /// Takes the images from `begin` to `end` in; those before were taken in already.
  void measure(std::size_t begin, std::size_t end, const Progress& progress) {
    if (mode_.semantics == adapt::Semantics::source)
      merge(engine_.run(mode_, subset(images_, range(begin, end)), nullptr, progress), begin);
    else
      // Goes on behind the batches that `measured` holds: the bits of one estimate over all images so far.
      take(engine_.run(mode_, subset(images_, range(0, end)), nullptr, progress, &measured_), 0);
    adapted_ = static_cast<std::int64_t>(end - left_out_.size());
    current_ = adapt::apply_policy(mode_, engine_.batch_norms(), engine_.source(), measured_, adapted_);
  }

  /// All that is to be known at the end, but the outputs.
  [[nodiscard]] adapt::ModeResult result() && {
    adapt::ModeResult out;
    out.statistics = std::move(current_);
    out.measured = std::move(measured_);
    out.adapted_images = adapted_;
    out.left_out = std::move(left_out_);
    return out;
  }

 private:
  void take(adapt::ModeResult part, std::size_t first) {
    measured_ = std::move(part.measured);
    for (adapt::LeftOut& one : part.left_out) left_out_.push_back({one.image + first, std::move(one.reason)});
  }
  /// Under the source statistics every image is measured separately, so that parts add up.
  void merge(adapt::ModeResult part, std::size_t first) {
    stats::StatisticsFile so_far, more;
    so_far.semantics = more.semantics = "source";
    so_far.estimator = more.estimator = "population";
    so_far.layers = std::move(measured_);
    more.layers = part.measured;
    take(std::move(part), first);
    if (so_far.layers.empty()) return;
    const std::vector<stats::NamedStatistics> parts{{"the stream", std::move(so_far)}, {"a batch", std::move(more)}};
    measured_ = stats::merged(parts).layers;
  }

  adapt::Engine& engine_;
  const adapt::Mode& mode_;
  const adapt::Images& images_;
  stats::Statistics current_, measured_;
  std::int64_t adapted_ = 0;
  std::vector<adapt::LeftOut> left_out_;
};

}  // namespace

Split split_images(const Session& session, const config::ProtocolConfig& protocol, std::uint64_t seed) {
  Split split;
  split.by = !protocol.by.empty() ? protocol.by : session.patients.known() ? "patient" : "image";
  std::vector<std::vector<std::size_t>> groups = members_of(groups_by(session, split.by));
  if (groups.size() < 2)
    throw ConfigError(
        fmt::format("protocol: the images are one group by {}; expected two or more to be split", printable(split.by)));
  Random random(seed, 0);
  for (std::size_t i = groups.size(); i > 1; --i)
    std::swap(groups[i - 1], groups[random.below(static_cast<std::uint32_t>(i))]);
  // A group goes where it brings the number of images nearer to the share; each side gets one.
  const double wanted = protocol.adapt * static_cast<double>(session.images.count);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const double half = static_cast<double>(groups[g].size()) / 2;
    const bool near = static_cast<double>(split.adapt.size()) + half < wanted;
    const bool last_chance = g + 1 == groups.size() && split.evaluate.empty();
    std::vector<std::size_t>& side = (near || split.adapt.empty()) && !last_chance ? split.adapt : split.evaluate;
    side.insert(side.end(), groups[g].begin(), groups[g].end());
  }
  std::ranges::sort(split.adapt);
  std::ranges::sort(split.evaluate);
  check_apart(session, split);
  return split;
}

adapt::Images subset(const adapt::Images& images, const std::vector<std::size_t>& chosen) {
  return {chosen.size(), [&images, chosen](std::size_t i, std::span<float> dst) { images.load(chosen.at(i), dst); }};
}

adapt::Mode in_stream(adapt::Mode mode, std::int64_t batch) {
  mode.shuffle.reset();
  if (adapt::measures(mode.policy) && mode.semantics == adapt::Semantics::layerwise)
    mode.semantics = adapt::Semantics::batch;
  // The source of a network that its runtime normalises by batches takes them; to others the number does not matter.
  if (adapt::in_batches(mode) || mode.policy == adapt::Policy::source) mode.batch = batch;
  return mode;
}

Streamed stream(adapt::Engine& engine, const adapt::Mode& mode, std::int64_t batch, const adapt::Images& images,
                const Progress& progress) {
  Streamed out;
  if (!adapt::measures(mode.policy)) {
    out.result = engine.run(mode, images, adapt::kSameImages, progress);
    out.after = *out.result.outputs;
    return out;
  }
  if (!engine.source_known())
    throw ConfigError("protocol streaming begins with the source statistics, and the file has none; expected another");
  Progress quiet = progress;  // of each batch; the stream's is reported
  quiet.report = nullptr;
  Stream state(engine, mode, images);
  adapt::Outputs before;
  adapt::Timing seconds;
  const auto size = static_cast<std::size_t>(batch);
  for (std::size_t begin = 0; begin < images.count; begin += size) {
    progress.check();
    const std::size_t end = std::min(images.count, begin + size);
    const adapt::Images now = subset(images, range(begin, end));
    const Stopwatch predicting;
    append(engine.infer(state.current(), now, quiet), before);
    seconds.evaluate += predicting.seconds();
    const Stopwatch measuring;
    state.measure(begin, end, quiet);
    seconds.adapt += measuring.seconds();
    const Stopwatch again;
    append(engine.infer(state.current(), now, quiet), out.after);
    seconds.evaluate += again.seconds();
    progress.tell("stream", static_cast<std::int64_t>(end), static_cast<std::int64_t>(images.count));
  }
  out.result = std::move(state).result();
  out.result.outputs = std::move(before);
  out.result.seconds = seconds;
  return out;
}

}  // namespace shiftnorm::toolkit
