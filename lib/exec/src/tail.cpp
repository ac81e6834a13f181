#include "tail.hpp"

#include <set>

#include "placement.hpp"

namespace shiftnorm::exec {
namespace {

/// Floats of an image that may wait in a tail: a quarter of a megabyte.
constexpr std::size_t kMost = std::size_t{1} << 16;

/// Ids and how many floats they have together.
class Together {
 public:
  Together(const Program& program, const Cut& cut) : program_(program), cut_(cut) {
    for (const int id : cut.outputs) add(id);
  }
  void add(const Action& action) {
    add(action.value);
    for (const int id : action.src) add(id);
  }
  [[nodiscard]] const std::set<int>& ids() const noexcept { return ids_; }
  [[nodiscard]] std::size_t floats() const noexcept { return floats_; }

 private:
  void add(int id) {
    if (ids_.insert(id).second) floats_ += floats_of(program_, cut_, static_cast<std::size_t>(id));
  }

  const Program& program_;
  const Cut& cut_;
  std::set<int> ids_;
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
    if (actions[a].step < 0 || seen.floats() > kMost) break;
    if (program.steps[static_cast<std::size_t>(actions[a].step)].kernel->gains_by_several()) tail.first = a;
  }
  if (tail.first == actions.size()) return tail;
  for (std::size_t a = tail.first; a < actions.size(); ++a) all.add(actions[a]);
  std::set<int> ids = all.ids();
  tail.offset.assign(cut.origin.size(), 0);
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
