#include "cut.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace shiftnorm::exec {
namespace {

using Measured = std::map<ValueIndex, std::vector<PartIndex>>;  ///< value to the parts that it is measured for

/// Which values are measured for what. A set that measures a concatenation measures those of its parts that no set
/// before it measured.
class Measurements {
 public:
  Measurements(const Program& program, Cut& cut) : program_(program), cut_(cut) {
    cut_.made_of.resize(program.measured.size());
  }

  void add(SetIndex set, Measured& measured) {
    const std::vector<ValueIndex>& values = program_.measured[set];
    set_ = set;
    channels_ = 0;
    if (values.size() == 1) return add_value(values.front(), measured);
    // Uses of one set are pooled: what each of them is measured for is the same.
    const PartIndex part = open_part(values.front());
    for (const ValueIndex value : values) measured[value].push_back(part);
  }

 private:
  void add_value(ValueIndex value, Measured& measured) {
    const auto known = part_of_.find(value);
    if (known != part_of_.end()) {
      cut_.made_of[set_].push_back(known->second);
      channels_ += cut_.parts[known->second].channels;
      return;
    }
    const StepIndex producer = program_.values[value].producer;
    if (producer.exists() && is_concatenation(program_.steps[producer])) {
      for (const ValueIndex src : program_.steps[producer].src) add_value(src, measured);
      return;
    }
    const PartIndex part = open_part(value);
    part_of_[value] = part;
    measured[value].push_back(part);
  }

  PartIndex open_part(ValueIndex value) {
    const std::int64_t channels = program_.values[value].layout.channels;
    const PartIndex part = cut_.parts.push_back({set_, channels_, channels});
    cut_.made_of[set_].push_back(part);
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
  SetIndex set_;
  std::int64_t channels_ = 0;                ///< of the set that have their part already
  std::map<ValueIndex, PartIndex> part_of_;  ///< value to the part that it is measured for first
};

class Cutter {
 public:
  Cutter(const Program& program, const Indexed<ValueIndex, bool>& recomputed)
      : program_(program), recomputed_(recomputed), current_(program.values.size()), made_in_(program.values.size()) {
    for (const ValueIndex value : program.values.indices()) cut_.origin.push_back(value);
    current_[kInputValue] = kInputInstance;
  }

  Cut run(const std::vector<std::int64_t>& level, bool layerwise, std::span<const ValueIndex> outputs) {
    std::map<std::int64_t, std::vector<SetIndex>> by_level;
    for (const SetIndex set : Indices<SetIndex>(level.size()))
      if (level[set.number()] > 0 && !program_.measured[set].empty())
        by_level[layerwise ? level[set.number()] : 1].push_back(set);
    Measurements measurements(program_, cut_);
    for (const auto& [number, sets] : by_level) {
      Measured values;
      for (const SetIndex set : sets) measurements.add(set, values);
      open_segment(number);
      segment().sets = sets;
      // Each value is measured right after it is computed, while it is in cache.
      for (const auto& [value, parts] : values) {
        if (!measure_unwritten(value, parts, values)) demand(value, values);
      }
      std::set<ValueIndex> seen;
      for (const Action& action : segment().actions)
        if (action.measures()) seen.insert(measured_by(action));
      for (const auto& [value, parts] : values)  // of those computed in an earlier segment
        if (!seen.contains(value)) segment().actions.push_back({{}, now(value), {}, parts, {}});
    }
    if (outputs.empty()) return std::move(cut_);
    if (layerwise || cut_.segments.empty()) open_segment(0);
    for (const ValueIndex value : outputs) {
      demand(value, {});
      cut_.outputs.push_back(now(value));
    }
    return std::move(cut_);
  }

 private:
  Segment& segment() { return cut_.segments.back(); }
  void open_segment(std::int64_t level) {
    cut_.segments.emplace_back();
    segment().level = level;
  }
  /// The instance of a value that there is.
  [[nodiscard]] InstanceIndex now(ValueIndex value) const { return current_[value]; }

  /// The program's value whose moments an action takes.
  [[nodiscard]] ValueIndex measured_by(const Action& action) const {
    if (action.result_of.exists()) return program_.steps[action.result_of].dst;
    return cut_.origin[action.value];
  }

  bool measure_unwritten(ValueIndex value, const std::vector<PartIndex>& parts, const Measured& measured) {
    const ProgramValue& v = program_.values[value];
    if (!v.measured_unwritten) return false;
    const ValueIndex src = program_.steps[v.producer].src.front();
    demand(src, measured);
    segment().actions.push_back({{}, now(src), {}, parts, v.producer});
    return true;
  }

  /// Whether a segment may read the value as it is.
  [[nodiscard]] bool at_hand(ValueIndex value) const {
    if (!program_.values[value].producer.exists()) return true;
    return current_[value].exists() && (!recomputed_[value] || made_in_[value] == cut_.segments.size());
  }

  [[nodiscard]] bool carried(ValueIndex value) const {
    return at_hand(value) && made_in_[value] < cut_.segments.size();
  }

  /// Appends the steps that `wanted` still needs, depth first, so that a value is used soon after it is made. Networks
  /// from files may be deeper than the call stack.
  void demand(ValueIndex wanted, const Measured& measured) {
    struct Visit {
      StepIndex step;
      std::size_t next = 0;  ///< the source to look at
    };
    std::vector<Visit> open;
    const auto enter = [&](ValueIndex value) {
      if (!at_hand(value)) open.push_back({step_for(value, measured)});
    };
    enter(wanted);
    while (!open.empty()) {
      Visit& visit = open.back();
      const ProgramStep& step = program_.steps[visit.step];
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
  [[nodiscard]] StepIndex step_for(ValueIndex value, const Measured& measured) const {
    const StepIndex number = program_.values[value].producer;
    const ProgramStep& step = program_.steps[number];
    if (!step.fused.exists()) return number;
    const ProgramStep& fused = program_.steps[step.fused];
    if (fused.prologue && !carried(fused.src.front())) return number;
    const bool written = measured.contains(step.between) && !program_.values[step.between].measured_unwritten;
    return at_hand(step.between) || written ? number : step.fused;
  }

  void make(StepIndex number, const Measured& measured) {
    const ProgramStep& step = program_.steps[number];
    if (at_hand(step.dst)) return;  // another path from the same value came first
    Action action{number, first_instance(step.dst), {}, {}, {}};
    for (const ValueIndex src : step.src) action.src.push_back(now(src));
    if (current_[step.dst].exists()) action.value = cut_.origin.push_back(step.dst);
    current_[step.dst] = action.value;
    made_in_[step.dst] = cut_.segments.size();
    segment().actions.push_back(std::move(action));
    const auto it = measured.find(step.dst);
    if (it != measured.end()) segment().actions.push_back({{}, now(step.dst), {}, it->second, {}});
  }

  const Program& program_;
  const Indexed<ValueIndex, bool>& recomputed_;
  Indexed<ValueIndex, InstanceIndex> current_;
  Indexed<ValueIndex, std::size_t> made_in_;  ///< how many segments were open when it was made
  Cut cut_;
};

}  // namespace

void Life::touch(ActionIndex action, std::size_t segment) {
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

Cut cut_program(const Program& program, const std::vector<std::int64_t>& level, bool layerwise, std::size_t outputs,
                const Indexed<ValueIndex, bool>& recomputed) {
  return Cutter(program, recomputed)
      .run(level, layerwise, std::span(program.outputs).first(std::min(outputs, program.outputs.size())));
}

Lives lifetimes(Cut& cut) {
  Lives lives(cut.origin.size());
  ActionIndex number(0);
  for (std::size_t s = 0; s < cut.segments.size(); ++s) {
    Segment& segment = cut.segments[s];
    const auto reads_input = [](const Action& action) {
      return action.measures() ? action.value == kInputInstance
                               : std::find(action.src.begin(), action.src.end(), kInputInstance) != action.src.end();
    };
    const bool is_output = s + 1 == cut.segments.size() &&
                           std::find(cut.outputs.begin(), cut.outputs.end(), kInputInstance) != cut.outputs.end();
    segment.loads_input = is_output || std::any_of(segment.actions.begin(), segment.actions.end(), reads_input);
    const auto touch = [&](InstanceIndex instance) { lives[instance].touch(number, s); };
    if (segment.loads_input) touch(kInputInstance);
    for (const Action& action : segment.actions) {
      number = number.next();
      for (const InstanceIndex src : action.src) touch(src);
      touch(action.value);
    }
    number = number.next();
  }
  for (const InstanceIndex instance : cut.outputs) lives[instance].touch(number, cut.segments.size() - 1);
  Life& input = lives[kInputInstance];
  input.last_segment = std::min(input.last_segment, input.first_segment);
  return lives;
}

}  // namespace shiftnorm::exec
