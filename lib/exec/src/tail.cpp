#include "tail.hpp"

#include <set>

#include "placement.hpp"

namespace shiftnorm::exec {
namespace {

/// Floats of an image that may wait in a tail: a quarter of a megabyte.
constexpr std::size_t kMost = std::size_t{1} << 16;

/// What the actions from `first` on read and write, and all outputs.
std::set<int> touched(const Cut& cut, std::size_t first) {
  std::set<int> ids(cut.outputs.begin(), cut.outputs.end());
  const std::vector<Action>& actions = cut.segments.back().actions;
  for (std::size_t a = first; a < actions.size(); ++a) {
    ids.insert(actions[a].value);
    ids.insert(actions[a].src.begin(), actions[a].src.end());
  }
  return ids;
}

std::size_t floats_of(const Program& program, const Cut& cut, const std::set<int>& ids) {
  std::size_t floats = 0;
  for (const int id : ids) floats += floats_of(program, cut, static_cast<std::size_t>(id));
  return floats;
}

}  // namespace

Tail find_tail(const Program& program, const Cut& cut) {
  Tail tail;
  if (cut.segments.empty()) return tail;
  const std::vector<Action>& actions = cut.segments.back().actions;
  tail.first = actions.size();
  if (cut.outputs.empty()) return tail;
  for (std::size_t a = actions.size(); a-- > 0;) {
    if (actions[a].step < 0 || floats_of(program, cut, touched(cut, a)) > kMost) break;
    if (program.steps[static_cast<std::size_t>(actions[a].step)].kernel->gains_by_several()) tail.first = a;
  }
  if (tail.first == actions.size()) return tail;
  std::set<int> ids = touched(cut, tail.first);
  tail.offset.assign(cut.origin.size(), Tail::kElsewhere);
  for (const int id : ids) {
    tail.offset[static_cast<std::size_t>(id)] = tail.floats;
    constexpr std::size_t kLine = kAlignment / sizeof(float);
    tail.floats += (floats_of(program, cut, static_cast<std::size_t>(id)) + kLine - 1) / kLine * kLine;
  }
  for (std::size_t a = tail.first; a < actions.size(); ++a) ids.erase(actions[a].value);
  tail.kept.assign(ids.begin(), ids.end());
  return tail;
}

}  // namespace shiftnorm::exec
