#include "schedule.hpp"

#include <algorithm>
#include <set>

#include "recompute.hpp"

namespace shiftnorm::exec {

Schedule make_schedule(const Program& program, const std::vector<std::int64_t>& level, bool layerwise,
                       std::size_t outputs, double carried_cost) {
  const Indexed<ValueIndex, bool> none(program.values.size(), false);
  Cut plain = cut_program(program, level, layerwise, outputs, none);
  const Lives plain_lives = lifetimes(plain);
  // Room for a whole concatenation is taken when its first part is written, which a part that waits long for the others
  // (the skips of a U-Net) can make much dearer than copying.
  const auto most = [&](bool join) {
    return most_carried(program, plain, pieces_of(program, plain, plain_lives, join));
  };
  const bool join_parts = most(true) <= most(false) + most(false) / 4;

  Cut cut = cut_program(program, level, layerwise, outputs,
                        choose_recomputed(program, level, layerwise, outputs, join_parts, carried_cost));
  const Lives lives = lifetimes(cut);
  Tail tail = find_tail(program, cut);
  Placement placement = place(program, cut, pieces_of(program, cut, lives, join_parts));
  Schedule schedule{std::move(cut.segments),
                    std::move(cut.origin),
                    std::move(cut.outputs),
                    std::move(cut.parts),
                    std::move(cut.made_of),
                    std::move(placement.places),
                    placement.carried_floats,
                    placement.local_floats,
                    0,
                    0,
                    std::move(tail)};
  for (const Segment& segment : schedule.segments) {
    std::set<InstanceIndex> touched;
    for (const Action& action : segment.actions) {
      touched.insert(action.value);
      touched.insert(action.src.begin(), action.src.end());
    }
    for (const InstanceIndex id : touched)
      if (schedule.places[id].carried)
        schedule.carried_traffic += static_cast<std::size_t>(program.values[schedule.origin[id]].layout.floats());
  }
  for (const ProgramStep& step : program.steps)
    schedule.scratch_bytes = std::max(schedule.scratch_bytes, step.kernel->scratch_bytes());
  return schedule;
}

}  // namespace shiftnorm::exec
