#include "traffic.hpp"

#include <set>

namespace shiftnorm::exec {

std::size_t frontier_traffic(const Schedule& schedule, const Program& program) {
  std::size_t floats = 0;
  for (const Segment& segment : schedule.segments) {
    std::set<int> touched;  // again in this segment: still in cache
    const auto touch = [&](int value) {
      if (schedule.places[static_cast<std::size_t>(value)].frontier && touched.insert(value).second)
        floats += static_cast<std::size_t>(program.values[static_cast<std::size_t>(value)].layout.floats());
    };
    for (const Action& action : segment.actions) {
      if (action.step < 0) {
        touch(action.value);
        continue;
      }
      const ProgramStep& step = program.steps[static_cast<std::size_t>(action.step)];
      for (const int src : step.src) touch(src);
      touch(step.dst);
    }
  }
  return floats;
}

}  // namespace shiftnorm::exec
