#include "schedule.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <span>

namespace shiftnorm::exec {
namespace {

constexpr std::size_t kFloatsPerLine = kAlignment / sizeof(float);

class Scheduler {
 public:
  Scheduler(const Program& program, Schedule& schedule)
      : program_(program), schedule_(schedule), done_(program.steps.size(), false) {}

  void cut(const std::vector<std::int64_t>& level, bool settled, std::span<const int> outputs) {
    // Per segment the values to measure, in order of level.
    std::map<std::int64_t, std::map<int, std::vector<int>>> measured;
    for (std::size_t s = 0; s < level.size(); ++s)
      if (level[s] > 0)
        for (const int value : program_.measured[s])
          measured[settled ? level[s] : 1][value].push_back(static_cast<int>(s));
    for (const auto& [number, values] : measured) {
      Segment& segment = schedule_.segments.emplace_back();
      segment.level = number;
      // Each value is measured right after it is computed, while it is in cache.
      for (const auto& [value, sets] : values) {
        demand(value, segment, values);
        if (program_.values[static_cast<std::size_t>(value)].producer < 0) segment.actions.push_back({-1, value, sets});
      }
      std::set<int> seen;
      for (const Action& action : segment.actions)
        if (action.step < 0) seen.insert(action.value);
      for (const auto& [value, sets] : values)
        if (seen.count(value) == 0) segment.actions.push_back({-1, value, sets});  // computed in an earlier segment
    }
    outputs_ = outputs;
    if (outputs.empty()) return;
    const bool join = !settled && !schedule_.segments.empty();
    Segment& last = join ? schedule_.segments.back() : schedule_.segments.emplace_back();
    for (const int value : outputs) demand(value, last, {});
  }

  void lay_out() {
    number_actions();
    std::vector<int> group(program_.values.size());
    for (std::size_t v = 0; v < group.size(); ++v) group[v] = static_cast<int>(v);
    share_in_place(group);
    schedule_.places.resize(program_.values.size());
    for (const bool frontier : {true, false}) {
      const std::size_t floats = place(group, frontier);
      (frontier ? schedule_.frontier_floats : schedule_.local_floats) = floats;
    }
    for (const ProgramStep& step : program_.steps)
      schedule_.scratch_bytes = std::max(schedule_.scratch_bytes, step.kernel->scratch_bytes());
  }

 private:
  struct Life {
    int first = std::numeric_limits<int>::max(), last = -1;  ///< action numbers over all segments
    int first_segment = std::numeric_limits<int>::max(), last_segment = -1;
    [[nodiscard]] bool lives() const { return last >= 0; }
    [[nodiscard]] bool crosses() const { return last_segment > first_segment; }
  };

  /// Appends the steps that `value` still needs, depth first, so that a value is used soon after it is made. Networks
  /// from files may be deeper than the call stack.
  void demand(int wanted, Segment& segment, const std::map<int, std::vector<int>>& measured) {
    struct Visit {
      int step;
      std::size_t next = 0;  ///< the source to look at
    };
    std::vector<Visit> open;
    const auto enter = [&](int value) {
      const int producer = program_.values[static_cast<std::size_t>(value)].producer;
      if (producer < 0) {
        segment.loads_input = true;
      } else if (!done_[static_cast<std::size_t>(producer)]) {
        done_[static_cast<std::size_t>(producer)] = true;
        open.push_back({producer});
      }
    };
    enter(wanted);
    while (!open.empty()) {
      Visit& visit = open.back();
      const ProgramStep& step = program_.steps[static_cast<std::size_t>(visit.step)];
      if (visit.next < step.src.size()) {
        enter(step.src[visit.next++]);
        continue;
      }
      segment.actions.push_back({visit.step, -1, {}});
      const auto it = measured.find(step.dst);
      if (it != measured.end()) segment.actions.push_back({-1, step.dst, it->second});
      open.pop_back();
    }
  }

  void number_actions() {
    lives_.assign(program_.values.size(), {});
    int number = 0;
    for (std::size_t s = 0; s < schedule_.segments.size(); ++s) {
      const auto segment = static_cast<int>(s);
      if (schedule_.segments[s].loads_input) touch(0, number, segment);
      for (const Action& action : schedule_.segments[s].actions) {
        ++number;
        if (action.step < 0) {
          touch(action.value, number, segment);
        } else {
          const ProgramStep& step = program_.steps[static_cast<std::size_t>(action.step)];
          for (const int src : step.src) touch(src, number, segment);
          touch(step.dst, number, segment);
        }
      }
      ++number;
    }
    for (const int value : outputs_)
      if (lives_[static_cast<std::size_t>(value)].lives())
        touch(value, number, static_cast<int>(schedule_.segments.size()) - 1);
    // The input is loaded anew in every segment that reads it, so it is never carried.
    if (lives_[0].lives()) lives_[0].last_segment = lives_[0].first_segment;
  }

  void touch(int value, int number, int segment) {
    // A segment that reads the input later than it was loaded must find it loaded there too.
    if (value == 0) schedule_.segments[static_cast<std::size_t>(segment)].loads_input = true;
    Life& life = lives_[static_cast<std::size_t>(value)];
    life.first = std::min(life.first, number);
    life.last = std::max(life.last, number);
    life.first_segment = std::min(life.first_segment, segment);
    life.last_segment = std::max(life.last_segment, segment);
  }

  /// Lets a step write over a source that dies with it, when both live in the same kind of memory.
  void share_in_place(std::vector<int>& group) {
    for (const Segment& segment : schedule_.segments) {
      for (const Action& action : segment.actions) {
        if (action.step < 0) continue;
        const ProgramStep& step = program_.steps[static_cast<std::size_t>(action.step)];
        const auto dst = static_cast<std::size_t>(step.dst);
        for (std::size_t i = 0; i < step.src.size(); ++i) {
          const auto src = static_cast<std::size_t>(step.src[i]);
          const bool dies = lives_[src].last == lives_[dst].first && src != 0;
          const bool fits = program_.values[src].layout.floats() == program_.values[dst].layout.floats();
          if (!dies || !fits || lives_[src].crosses() != lives_[dst].crosses() || !step.kernel->in_place(i)) continue;
          if (group[dst] != static_cast<int>(dst)) continue;
          const int root = group[src];
          group[dst] = root;
          merged_[root] = std::max(last_of(root), lives_[dst].last);
          break;
        }
      }
    }
  }

  /// Last action that touches any of the values sharing this one's place.
  int last_of(int root) const {
    const auto it = merged_.find(root);
    return it == merged_.end() ? lives_[static_cast<std::size_t>(root)].last : it->second;
  }

  /// Offsets for one kind of memory: largest first, each at the lowest offset free for its whole life.
  std::size_t place(const std::vector<int>& group, bool frontier) {
    struct Block {
      int root, first, last;
      std::size_t floats, offset;
    };
    std::vector<Block> blocks;
    for (std::size_t v = 0; v < group.size(); ++v) {
      if (group[v] != static_cast<int>(v) || !lives_[v].lives() || lives_[v].crosses() != frontier) continue;
      const auto floats = static_cast<std::size_t>(program_.values[v].layout.floats());
      blocks.push_back({static_cast<int>(v), lives_[v].first, last_of(static_cast<int>(v)),
                        (floats + kFloatsPerLine - 1) / kFloatsPerLine * kFloatsPerLine, 0});
    }
    std::stable_sort(blocks.begin(), blocks.end(), [](const Block& a, const Block& b) { return a.floats > b.floats; });
    // Blocks placed so far by the stretches of actions that they live through, so that a block is compared with those
    // near it: most lives are short.
    constexpr int kStretch = 32;
    std::vector<std::vector<const Block*>> near;
    std::size_t total = 0;
    std::vector<const Block*> rivals;
    for (Block& block : blocks) {
      const auto begin = static_cast<std::size_t>(block.first / kStretch),
                 end = static_cast<std::size_t>(block.last / kStretch) + 1;
      if (near.size() < end) near.resize(end);
      rivals.clear();
      for (std::size_t s = begin; s < end; ++s)
        for (const Block* other : near[s])
          if (other->first <= block.last && block.first <= other->last) rivals.push_back(other);
      std::sort(rivals.begin(), rivals.end(), [](const Block* a, const Block* b) { return a->offset < b->offset; });
      std::size_t at = 0;
      for (const Block* rival : rivals) {
        if (at + block.floats <= rival->offset) break;
        at = std::max(at, rival->offset + rival->floats);
      }
      block.offset = at;
      total = std::max(total, at + block.floats);
      for (std::size_t s = begin; s < end; ++s) near[s].push_back(&block);
      schedule_.places[static_cast<std::size_t>(block.root)] = {frontier, block.offset};
    }
    for (std::size_t v = 0; v < group.size(); ++v) {
      const auto root = static_cast<std::size_t>(group[v]);
      if (root != v && lives_[root].lives() && lives_[root].crosses() == frontier)
        schedule_.places[v] = schedule_.places[root];
    }
    return total;
  }

  const Program& program_;
  Schedule& schedule_;
  std::vector<bool> done_;
  std::span<const int> outputs_;  ///< the values that are wanted in the end
  std::vector<Life> lives_;
  std::map<int, int> merged_;  ///< last action of a place that several values share in turn
};

}  // namespace

Schedule make_schedule(const Program& program, const std::vector<std::int64_t>& level, bool settled,
                       std::size_t outputs) {
  Schedule schedule;
  Scheduler scheduler(program, schedule);
  scheduler.cut(level, settled, std::span(program.outputs).first(std::min(outputs, program.outputs.size())));
  scheduler.lay_out();
  return schedule;
}

}  // namespace shiftnorm::exec
