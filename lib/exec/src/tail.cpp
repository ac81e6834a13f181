#include "tail.hpp"

#include <set>

#include "placement.hpp"

namespace shiftnorm::exec {
namespace {

/// Floats of an image that may wait in a tail: a quarter of a megabyte.
constexpr std::size_t kMost = std::size_t{1} << 16;

/// Instances and how many floats they have together.
class Together {
 public:
  Together(const Program& program, const Cut& cut) : program_(program), cut_(cut) {
    for (const InstanceIndex id : cut.outputs) add(id);
  }
  void add(const Action& action) {
    add(action.value);
    for (const InstanceIndex id : action.src) add(id);
  }
  [[nodiscard]] const std::set<InstanceIndex>& ids() const noexcept { return ids_; }
  [[nodiscard]] std::size_t floats() const noexcept { return floats_; }

 private:
  void add(InstanceIndex id) {
    if (ids_.insert(id).second) floats_ += floats_of(program_, cut_, id);
  }

  const Program& program_;
  const Cut& cut_;
  std::set<InstanceIndex> ids_;
  std::size_t floats_ = 0;
};

}  // namespace

Tail find_tail(const Program& program, const Cut& cut) {
  Tail tail;
  if (cut.segments.empty()) return tail;
  const std::vector<Action>& actions = cut.segments.back().actions;
  tail.first = actions.size();
  if (cut.outputs.empty()) return tail;
  Together seen(program, cut), all(program, cut);
  for (std::size_t a = actions.size(); a-- > 0;) {
    seen.add(actions[a]);
    if (actions[a].measures() || seen.floats() > kMost) break;
    if (program.steps[actions[a].step].kernel->gains_by_several()) tail.first = a;
  }
  if (tail.first == actions.size()) return tail;
  for (std::size_t a = tail.first; a < actions.size(); ++a) all.add(actions[a]);
  std::set<InstanceIndex> ids = all.ids();
  tail.offset.assign(cut.origin.size(), 0);
  for (const InstanceIndex id : ids) {
    tail.offset[id] = tail.floats;
    constexpr std::size_t kLine = kAlignment / sizeof(float);
    tail.floats += (floats_of(program, cut, id) + kLine - 1) / kLine * kLine;
  }
  for (std::size_t a = tail.first; a < actions.size(); ++a) ids.erase(actions[a].value);
  tail.kept.assign(ids.begin(), ids.end());
  return tail;
}

}  // namespace shiftnorm::exec
