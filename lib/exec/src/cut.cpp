#include "cut.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace shiftnorm::exec {
namespace {

using Measured = std::map<int, std::vector<int>>;  ///< value to the parts that it is measured for

/// Which values are measured for what. A set that measures a concatenation measures those of its parts that no set
/// before it measured.
class Measurements {
 public:
  Measurements(const Program& program, Cut& cut) : program_(program), cut_(cut) {
    cut_.made_of.resize(program.measured.size());
  }

  void add(int set, Measured& measured) {
    const std::vector<int>& values = program_.measured[static_cast<std::size_t>(set)];
    set_ = set;
    channels_ = 0;
    if (values.size() == 1) return add_value(values.front(), measured);
    // Uses of one set are pooled: what each of them is measured for is the same.
    const int part = open_part(values.front());
    for (const int value : values) measured[value].push_back(part);
  }

 private:
  void add_value(int value, Measured& measured) {
    const auto known = part_of_.find(value);
    if (known != part_of_.end()) {
      cut_.made_of[static_cast<std::size_t>(set_)].push_back(known->second);
      channels_ += cut_.parts[static_cast<std::size_t>(known->second)].channels;
      return;
    }
    const int producer = program_.values[static_cast<std::size_t>(value)].producer;
    if (producer >= 0 && is_concatenation(program_.steps[static_cast<std::size_t>(producer)])) {
      for (const int src : program_.steps[static_cast<std::size_t>(producer)].src) add_value(src, measured);
      return;
    }
    const int part = open_part(value);
    part_of_[value] = part;
    measured[value].push_back(part);
  }

  int open_part(int value) {
    const auto part = static_cast<int>(cut_.parts.size());
    const std::int64_t channels = program_.values[static_cast<std::size_t>(value)].layout.channels;
    cut_.parts.push_back({set_, channels_, channels});
    cut_.made_of[static_cast<std::size_t>(set_)].push_back(part);
    channels_ += channels;
    return part;
  }

  /// Of whole blocks of channels, each of which lies in the result as it is.
  static bool is_concatenation(const ProgramStep& step) {
    for (std::size_t i = 0; i < step.src.size(); ++i)
      if (step.kernel->part_offset(i) < 0) return false;
    return !step.src.empty();
  }

  const Program& program_;
  Cut& cut_;
  int set_ = -1;
  std::int64_t channels_ = 0;   ///< of the set that have their part already
  std::map<int, int> part_of_;  ///< value to the part that it is measured for first
};

class Cutter {
 public:
  Cutter(const Program& program, const std::vector<bool>& recomputed)
      : program_(program), recomputed_(recomputed), current_(program.values.size(), -1), made_in_(current_) {
    for (std::size_t v = 0; v < program.values.size(); ++v) cut_.origin.push_back(static_cast<int>(v));
    current_[0] = 0;
  }

  Cut run(const std::vector<std::int64_t>& level, bool settled, std::span<const int> outputs) {
    std::map<std::int64_t, std::vector<int>> by_level;
    for (std::size_t s = 0; s < level.size(); ++s)
      if (level[s] > 0 && !program_.measured[s].empty())
        by_level[settled ? level[s] : 1].push_back(static_cast<int>(s));
    Measurements measurements(program_, cut_);
    for (const auto& [number, sets] : by_level) {
      Measured values;
      for (const int set : sets) measurements.add(set, values);
      open_segment(number);
      segment().sets = sets;
      // Each value is measured right after it is computed, while it is in cache.
      for (const auto& [value, parts] : values) {
        if (!measure_unwritten(value, parts, values)) demand(value, values);
      }
      std::set<int> seen;
      for (const Action& action : segment().actions)
        if (action.step < 0) seen.insert(measured_by(action));
      for (const auto& [value, parts] : values)  // of those computed in an earlier segment
        if (!seen.contains(value)) segment().actions.push_back({-1, id(value), {}, parts, -1});
    }
    if (outputs.empty()) return std::move(cut_);
    if (settled || cut_.segments.empty()) open_segment(0);
    for (const int value : outputs) {
      demand(value, {});
      cut_.outputs.push_back(id(value));
    }
    return std::move(cut_);
  }

 private:
  Segment& segment() { return cut_.segments.back(); }
  void open_segment(std::int64_t level) {
    cut_.segments.emplace_back();
    segment().level = level;
  }
  [[nodiscard]] int id(int value) const { return current_[static_cast<std::size_t>(value)]; }

  /// The program's value whose moments an action takes.
  [[nodiscard]] int measured_by(const Action& action) const {
    if (action.result_of >= 0) return program_.steps[static_cast<std::size_t>(action.result_of)].dst;
    return cut_.origin[static_cast<std::size_t>(action.value)];
  }

  bool measure_unwritten(int value, const std::vector<int>& parts, const Measured& measured) {
    const ProgramValue& v = program_.values[static_cast<std::size_t>(value)];
    if (!v.measured_unwritten) return false;
    const int src = program_.steps[static_cast<std::size_t>(v.producer)].src.front();
    demand(src, measured);
    segment().actions.push_back({-1, id(src), {}, parts, v.producer});
    return true;
  }

  /// Whether a segment may read the value as it is.
  [[nodiscard]] bool at_hand(int value) const {
    const auto v = static_cast<std::size_t>(value);
    if (program_.values[v].producer < 0) return true;
    return current_[v] >= 0 && (!recomputed_[v] || made_in_[v] == static_cast<int>(cut_.segments.size()));
  }

  [[nodiscard]] bool carried(int value) const {
    return at_hand(value) && made_in_[static_cast<std::size_t>(value)] < static_cast<int>(cut_.segments.size());
  }

  /// Appends the steps that `wanted` still needs, depth first, so that a value is used soon after it is made. Networks
  /// from files may be deeper than the call stack.
  void demand(int wanted, const Measured& measured) {
    struct Visit {
      int step;
      std::size_t next = 0;  ///< the source to look at
    };
    std::vector<Visit> open;
    const auto enter = [&](int value) {
      if (!at_hand(value)) open.push_back({step_for(value, measured)});
    };
    enter(wanted);
    while (!open.empty()) {
      Visit& visit = open.back();
      const ProgramStep& step = program_.steps[static_cast<std::size_t>(visit.step)];
      if (visit.next < step.src.size()) {
        enter(step.src[visit.next++]);
        continue;
      }
      make(visit.step, measured);
      open.pop_back();
    }
  }

  /// In one pass with the convolution before it, unless that one's result is at hand or written anyway; a convolution
  /// in one pass with the normalisation before it if that one's source comes from memory.
  [[nodiscard]] int step_for(int value, const Measured& measured) const {
    const int number = program_.values[static_cast<std::size_t>(value)].producer;
    const ProgramStep& step = program_.steps[static_cast<std::size_t>(number)];
    if (step.fused < 0) return number;
    const ProgramStep& fused = program_.steps[static_cast<std::size_t>(step.fused)];
    if (fused.prologue && !carried(fused.src.front())) return number;
    const bool written =
        measured.contains(step.between) && !program_.values[static_cast<std::size_t>(step.between)].measured_unwritten;
    return at_hand(step.between) || written ? number : step.fused;
  }

  void make(int number, const Measured& measured) {
    const ProgramStep& step = program_.steps[static_cast<std::size_t>(number)];
    if (at_hand(step.dst)) return;  // another path from the same value came first
    const auto dst = static_cast<std::size_t>(step.dst);
    Action action{number, step.dst, {}, {}, -1};
    for (const int src : step.src) action.src.push_back(id(src));
    if (current_[dst] >= 0) {
      action.value = static_cast<int>(cut_.origin.size());
      cut_.origin.push_back(step.dst);
    }
    current_[dst] = action.value;
    made_in_[dst] = static_cast<int>(cut_.segments.size());
    segment().actions.push_back(std::move(action));
    const auto it = measured.find(step.dst);
    if (it != measured.end()) segment().actions.push_back({-1, id(step.dst), {}, it->second, -1});
  }

  const Program& program_;
  const std::vector<bool>& recomputed_;
  std::vector<int> current_, made_in_;  ///< per value: its id of now, and how many segments were open when it was made
  Cut cut_;
};

}  // namespace

void Life::touch(int action, int segment) {
  if (!lives()) {
    *this = {action, action, segment, segment};
    return;
  }
  join({action, action, segment, segment});
}

void Life::join(const Life& other) {
  first = std::min(first, other.first);
  last = std::max(last, other.last);
  first_segment = std::min(first_segment, other.first_segment);
  last_segment = std::max(last_segment, other.last_segment);
}

Cut cut_program(const Program& program, const std::vector<std::int64_t>& level, bool settled, std::size_t outputs,
                const std::vector<bool>& recomputed) {
  return Cutter(program, recomputed)
      .run(level, settled, std::span(program.outputs).first(std::min(outputs, program.outputs.size())));
}

std::vector<Life> lifetimes(Cut& cut) {
  std::vector<Life> lives(cut.origin.size());
  int number = 0;
  for (std::size_t s = 0; s < cut.segments.size(); ++s) {
    Segment& segment = cut.segments[s];
    const auto reads_input = [&segment](const Action& action) {
      return action.step < 0 ? action.value == 0
                             : std::find(action.src.begin(), action.src.end(), 0) != action.src.end();
    };
    const bool is_output =
        s + 1 == cut.segments.size() && std::find(cut.outputs.begin(), cut.outputs.end(), 0) != cut.outputs.end();
    segment.loads_input = is_output || std::any_of(segment.actions.begin(), segment.actions.end(), reads_input);
    const auto touch = [&](int id) { lives[static_cast<std::size_t>(id)].touch(number, static_cast<int>(s)); };
    if (segment.loads_input) touch(0);
    for (const Action& action : segment.actions) {
      ++number;
      for (const int src : action.src) touch(src);
      touch(action.value);
    }
    ++number;
  }
  for (const int id : cut.outputs)
    lives[static_cast<std::size_t>(id)].touch(number, static_cast<int>(cut.segments.size()) - 1);
  lives[0].last_segment = std::min(lives[0].last_segment, lives[0].first_segment);
  return lives;
}

}  // namespace shiftnorm::exec
