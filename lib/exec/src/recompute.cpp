#include "recompute.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

namespace shiftnorm::exec {
namespace {

/// What a float read or written costs beside a multiplication: an element-wise pass over values that leave the cache
/// takes about as long as so many operations of a convolution (measured on two cores with AVX-512).
constexpr double kFloat = 15;

/// Floats that are carried at every action.
Indexed<ActionIndex, std::size_t> carried(const Program& program, const Cut& cut, const Pieces& pieces) {
  ActionIndex last(0);
  for (const Life& life : pieces.life) last = std::max(last, life.last.next());
  Indexed<ActionIndex, std::size_t> floats(last.number() + 1, 0);
  for (const InstanceIndex id : pieces.life.indices()) {
    const Life& life = pieces.life[id];
    if (pieces.root[id] != id || !life.lives() || !life.crosses()) continue;
    for (ActionIndex a = life.first; a <= life.last; a = a.next()) floats[a] += floats_of(program, cut, id);
  }
  return floats;
}

double work_of(const Program& program, const Cut& cut) {
  double work = 0;
  for (const Segment& segment : cut.segments) {
    if (segment.loads_input) work += 2 * kFloat * static_cast<double>(floats_of(program, cut, kInputInstance));
    for (const Action& action : segment.actions) {
      if (action.measures()) continue;
      work += program.steps[action.step].kernel->operations();
      work += kFloat * static_cast<double>(floats_of(program, cut, action.value));
      for (const InstanceIndex src : action.src) work += kFloat * static_cast<double>(floats_of(program, cut, src));
    }
  }
  return work;
}

class Choice {
 public:
  Choice(const Program& program, const std::vector<std::int64_t>& level, bool layerwise, std::size_t outputs,
         bool join_parts, double carried_cost)
      : program_(program),
        level_(level),
        layerwise_(layerwise),
        outputs_(outputs),
        join_parts_(join_parts),
        carried_cost_(carried_cost),
        none_(program.values.size(), false) {
    // A concatenation is made of what lies there; its parts are not results that could be left out.
    allowed_.assign(program.values.size(), true);
    allowed_[kInputValue] = false;
    for (const ProgramStep& step : program.steps) {
      for (std::size_t i = 0; i < step.src.size(); ++i) {
        if (step.kernel->part_offset(i) < 0) continue;
        allowed_[step.src[i]] = allowed_[step.dst] = false;
      }
    }
  }

  Indexed<ValueIndex, bool> run() {
    if (carried_cost_ <= 0) return none_;
    Trial now = attempt(none_);
    if (now.most == 0) return none_;
    first_most_ = now.most;
    Trial best = now;
    const double first_work = now.work;
    // Several values together make the peak, one after the other: each step takes the one that eases the
    // crowd most for its work, and the best of all stages is kept.
    constexpr int kStages = 64;
    for (int stage = 0; stage < kStages; ++stage) {
      std::optional<Trial> next;
      double gain = 0;
      for (const ValueIndex value : now.candidates) {
        Indexed<ValueIndex, bool> more = now.recomputed;
        more[value] = true;
        Trial trial = attempt(std::move(more));
        const double eased = crowd(now) - crowd(trial), work = std::max(trial.work - now.work, 1.0);
        if (eased <= 0 || eased / work <= gain) continue;
        gain = eased / work;
        next = std::move(trial);
      }
      if (!next || next->work > 2 * first_work) break;
      now = std::move(*next);
      if (cost(now) < cost(best)) best = now;
    }
    return without_idle(std::move(best)).recomputed;
  }

 private:
  struct Trial {
    Indexed<ValueIndex, bool> recomputed;
    double work = 0;
    std::size_t most = 0;                 ///< floats carried at the worst action
    std::vector<std::size_t> by_segment;  ///< the same in each segment
    std::vector<ValueIndex> candidates;   ///< values carried at the worst action
  };

  [[nodiscard]] Trial attempt(Indexed<ValueIndex, bool> recomputed) const {
    Trial trial;
    Cut cut = cut_program(program_, level_, layerwise_, outputs_, recomputed);
    const Lives lives = lifetimes(cut);
    const Pieces pieces = pieces_of(program_, cut, lives, join_parts_);
    const Indexed<ActionIndex, std::size_t> floats = carried(program_, cut, pieces);
    trial.work = work_of(program_, cut);
    const auto worst = std::max_element(floats.begin(), floats.end());
    trial.most = *worst;
    const ActionIndex at(static_cast<std::size_t>(worst - floats.begin()));
    std::set<ValueIndex> values;
    for (const InstanceIndex id : lives.indices()) {
      const ValueIndex value = cut.origin[id];
      const bool there = lives[id].crosses() && lives[id].first <= at && at <= lives[id].last;
      if (there && allowed_[value] && !recomputed[value]) values.insert(value);
    }
    trial.candidates.assign(values.begin(), values.end());
    std::size_t action = 0;
    for (const Segment& segment : cut.segments) {
      const std::size_t end = std::min(action + segment.actions.size() + 1, floats.size());
      trial.by_segment.push_back(action < end ? *std::max_element(floats.begin() + static_cast<std::ptrdiff_t>(action),
                                                                  floats.begin() + static_cast<std::ptrdiff_t>(end))
                                              : 0);
      action = end;
    }
    trial.recomputed = std::move(recomputed);
    return trial;
  }

  [[nodiscard]] double cost(const Trial& trial) const {
    return trial.work + carried_cost_ * sizeof(float) * static_cast<double>(trial.most);
  }

  /// A soft maximum over the segments, so that easing one of several equally crowded ones counts.
  [[nodiscard]] double crowd(const Trial& trial) const {
    double sum = 0;
    for (const std::size_t floats : trial.by_segment)
      sum += std::pow(static_cast<double>(floats) / static_cast<double>(first_most_), 8);
    return sum;
  }

  /// Without the values whose recomputation later choices made useless.
  [[nodiscard]] Trial without_idle(Trial best) const {
    for (const ValueIndex v : best.recomputed.indices()) {
      if (!best.recomputed[v]) continue;
      Indexed<ValueIndex, bool> fewer = best.recomputed;
      fewer[v] = false;
      Trial trial = attempt(std::move(fewer));
      if (cost(trial) <= cost(best)) best = std::move(trial);
    }
    return best;
  }

  const Program& program_;
  const std::vector<std::int64_t>& level_;
  bool layerwise_;
  std::size_t outputs_;
  bool join_parts_;
  double carried_cost_;
  Indexed<ValueIndex, bool> none_, allowed_;
  std::size_t first_most_ = 1;
};

}  // namespace

std::size_t most_carried(const Program& program, const Cut& cut, const Pieces& pieces) {
  const Indexed<ActionIndex, std::size_t> floats = carried(program, cut, pieces);
  return *std::max_element(floats.begin(), floats.end());
}

Indexed<ValueIndex, bool> choose_recomputed(const Program& program, const std::vector<std::int64_t>& level,
                                            bool layerwise, std::size_t outputs, bool join_parts, double carried_cost) {
  return Choice(program, level, layerwise, outputs, join_parts, carried_cost).run();
}

}  // namespace shiftnorm::exec
