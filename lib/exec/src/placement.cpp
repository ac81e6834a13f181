#include "placement.hpp"

#include <algorithm>

namespace shiftnorm::exec {
namespace {

constexpr std::size_t kFloatsPerLine = kAlignment / sizeof(float);

class Joining {
 public:
  Joining(const Program& program, const Cut& cut, const Lives& lives)
      : program_(program), cut_(cut), lives_(lives), part_(lives.size(), false) {
    pieces_.life = lives;
    pieces_.shift.assign(lives.size(), 0);
    for (const InstanceIndex id : lives.indices()) pieces_.root.push_back(id);
  }

  /// From the last concatenation to the first: what a larger one holds is found in its place by the smaller ones.
  void join_parts() {
    for (auto segment = cut_.segments.rbegin(); segment != cut_.segments.rend(); ++segment)
      for (auto action = segment->actions.rbegin(); action != segment->actions.rend(); ++action)
        if (!action->measures()) join_parts(*action);
  }

  /// Lets a step write over a source that dies with it, when both live in the same kind of memory.
  void share_in_place() {
    for (const Segment& segment : cut_.segments)
      for (const Action& action : segment.actions)
        if (!action.measures()) share_in_place(action);
  }

  Pieces take() { return std::move(pieces_); }

 private:
  [[nodiscard]] const Kernel& kernel(const Action& action) const { return *program_.steps[action.step].kernel; }
  [[nodiscard]] bool alone(InstanceIndex id) const { return pieces_.root[id] == id && !part_[id]; }

  void lay(InstanceIndex id, InstanceIndex root, std::size_t shift) {
    pieces_.root[id] = root;
    pieces_.shift[id] = shift;
    part_[id] = part_[root] = true;
    pieces_.life[root].join(lives_[id]);
  }

  void join_parts(const Action& action) {
    const InstanceIndex dst = action.value;
    const Kernel& concat = kernel(action);
    const auto offset = [&](std::size_t i) { return concat.part_offset(i); };
    if (!action.src.empty() && offset(0) == 0 && alone(dst)) follow_parts(action, dst, concat);
    for (std::size_t i = 0; i < action.src.size(); ++i) {
      const InstanceIndex src = action.src[i];
      if (offset(i) < 0 || src == kInputInstance || !alone(src)) continue;
      const std::size_t shift = pieces_.shift[dst] + static_cast<std::size_t>(offset(i));
      if (shift % kFloatsPerLine == 0) lay(src, pieces_.root[dst], shift);
    }
  }

  /// A concatenation whose parts lie side by side already, in that of a larger one, is there.
  void follow_parts(const Action& action, InstanceIndex dst, const Kernel& concat) {
    const InstanceIndex first = action.src.front();
    if (alone(first) || first == kInputInstance) return;
    for (std::size_t i = 0; i < action.src.size(); ++i) {
      const InstanceIndex src = action.src[i];
      if (concat.part_offset(i) < 0 || pieces_.root[src] != pieces_.root[first] ||
          pieces_.shift[src] != pieces_.shift[first] + static_cast<std::size_t>(concat.part_offset(i)))
        return;
    }
    lay(dst, pieces_.root[first], pieces_.shift[first]);
  }

  /// Whether the kernel may write over source i: no other source may be read from that memory, unless it is the same
  /// value in a role that may be written over too. A convolution may write over what it adds, not over what its later
  /// windows still read, and in act(conv(x) + x) the two are one.
  [[nodiscard]] bool may_write_over(const Action& action, std::size_t i) const {
    const Kernel& writer = kernel(action);
    for (std::size_t j = 0; j < action.src.size(); ++j) {
      const bool same_memory = pieces_.root[action.src[j]] == pieces_.root[action.src[i]];
      if (same_memory && (action.src[j] != action.src[i] || !writer.in_place(j))) return false;
    }
    return true;
  }

  void share_in_place(const Action& action) {
    const InstanceIndex dst = action.value;
    if (!alone(dst)) return;
    for (std::size_t i = 0; i < action.src.size(); ++i) {
      const InstanceIndex src = action.src[i];
      const InstanceIndex root = pieces_.root[src];
      Life& life = pieces_.life[root];
      const bool dies = life.last == lives_[dst].first && src != kInputInstance;
      const bool fits = floats_of(program_, cut_, root) == floats_of(program_, cut_, dst) &&
                        floats_of(program_, cut_, src) == floats_of(program_, cut_, dst);
      if (!dies || !fits || life.crosses() != lives_[dst].crosses() || !may_write_over(action, i)) continue;
      pieces_.root[dst] = root;
      life.join(lives_[dst]);
      return;
    }
  }

  const Program& program_;
  const Cut& cut_;
  const Lives& lives_;
  Indexed<InstanceIndex, bool> part_;  ///< in a concatenation, or one that has its parts in it
  Pieces pieces_;
};

/// Offsets for one kind of memory: largest first, each at the lowest offset free for its whole life.
std::size_t place_kind(const Program& program, const Cut& cut, const Pieces& pieces, bool carried,
                       Indexed<InstanceIndex, Place>& places) {
  struct Block {
    InstanceIndex root;
    ActionIndex first, last;
    std::size_t floats, offset;
  };
  std::vector<Block> blocks;
  for (const InstanceIndex id : places.indices()) {
    const Life& life = pieces.life[id];
    if (pieces.root[id] != id || !life.lives() || life.crosses() != carried) continue;
    blocks.push_back({id, life.first, life.last,
                      (floats_of(program, cut, id) + kFloatsPerLine - 1) / kFloatsPerLine * kFloatsPerLine, 0});
  }
  std::stable_sort(blocks.begin(), blocks.end(), [](const Block& a, const Block& b) { return a.floats > b.floats; });
  // Blocks placed so far by the stretches of actions that they live through, so that a block is compared with those
  // near it: most lives are short.
  constexpr std::size_t kStretch = 32;
  std::vector<std::vector<const Block*>> near;
  std::size_t total = 0;
  std::vector<const Block*> rivals;
  for (Block& block : blocks) {
    const std::size_t begin = block.first.number() / kStretch, end = block.last.number() / kStretch + 1;
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
    places[block.root] = {carried, block.offset};
  }
  return total;
}

}  // namespace

std::size_t floats_of(const Program& program, const Cut& cut, InstanceIndex instance) {
  return static_cast<std::size_t>(program.values[cut.origin[instance]].layout.floats());
}

Pieces pieces_of(const Program& program, const Cut& cut, const Lives& lives, bool join_parts) {
  Joining joining(program, cut, lives);
  if (join_parts) joining.join_parts();
  joining.share_in_place();
  return joining.take();
}

Placement place(const Program& program, const Cut& cut, const Pieces& pieces) {
  Placement out;
  out.places.resize(cut.origin.size());
  out.carried_floats = place_kind(program, cut, pieces, true, out.places);
  out.local_floats = place_kind(program, cut, pieces, false, out.places);
  for (const InstanceIndex id : out.places.indices()) {
    const InstanceIndex root = pieces.root[id];
    if (root != id) out.places[id] = {out.places[root].carried, out.places[root].offset + pieces.shift[id]};
  }
  return out;
}

}  // namespace shiftnorm::exec
