#include "shiftnorm/exec/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <mutex>
#include <string>

#include "carry_plan.hpp"
#include "part_moments.hpp"
#include "shiftnorm/core/paging.hpp"
#include "vector_moments.hpp"
#include "workers.hpp"

namespace shiftnorm::exec {
namespace {

/// What one thread owns while it carries images.
struct WorkerMemory {
  Arena local, carried;  ///< carried: only when the worker has groups of its own
  AlignedVector<std::byte> scratch;
  Indexed<StepIndex, std::shared_ptr<void>> kernel_states;
  std::vector<double> sum, square;
  std::vector<const float*> src;
  AlignedVector<float> tail;         ///< of the images that wait for it
  std::vector<std::size_t> waiting;  ///< those images
  std::vector<KernelArguments> together;
};

/// Half of what the kernel says can be had without swapping; the page cache counts as free.
std::uint64_t half_of_free_memory() {
  std::ifstream facts("/proc/meminfo");
  std::string name, unit;
  for (std::uint64_t kibibytes = 0; facts >> name >> kibibytes; std::getline(facts, unit))
    if (name == "MemAvailable:") return kibibytes * 1024 / 2;
  return std::uint64_t{1} << 30;
}

/// Grows an arena to at least `bytes`; its contents are not kept.
void ensure(Arena& arena, std::size_t bytes, const std::string& scratch_directory) {
  if (arena.bytes() >= bytes) return;
  arena = Arena();
  arena = Arena(bytes, scratch_directory.empty() ? nullptr : scratch_directory.c_str());
}

}  // namespace

NonFinite::NonFinite(const std::string& layer, std::int64_t channel, std::size_t image_index)
    : Error(fmt::format(
          "layer '{}': channel {} of image {} has an infinite or undefined activation; expected finite numbers", layer,
          channel, image_index)),
      image(image_index),
      reason(fmt::format("layer '{}': channel {} has an infinite or undefined activation", layer, channel)) {}

struct Sweeper::State {
  State(std::shared_ptr<const Plan> p, SweepOptions o)
      : plan(std::move(p)),
        program(plan->program()),
        options(std::move(o)),
        workers(static_cast<std::size_t>(std::max(1, options.threads))),
        memory(workers.count()),
        plans(program, workers.count()) {
    if (options.scratch_directory.empty()) options.scratch_directory = std::filesystem::temp_directory_path().string();
    workers.run([this](std::size_t w) {
      for (const ProgramStep& step : program.steps) memory[w].kernel_states.push_back(step.kernel->make_worker_state());
    });
  }

  /// Carried bytes that may be in memory.
  [[nodiscard]] std::uint64_t limit() const { return options.memory != 0 ? options.memory : half_of_free_memory(); }

  const CarryPlan& carry_plan(const SweepRequest& request) { return plans.plan(request, limit()); }

  /// What an earlier sweep took is kept, as the system may be slow to hand it out again, or given back before more is
  /// taken where this sweep has no use for it. One that carries nothing between levels leaves it alone.
  void reserve_carried(const CarryPlan& wanted, const std::string& scratch) {
    if (wanted.group_bytes == 0) return;
    const bool other_kind = carried_spilled != !scratch.empty();
    carried_spilled = !scratch.empty();
    if (other_kind || wanted.side_by_side) carried = Arena();
    for (WorkerMemory& each : memory)
      if (other_kind || !wanted.side_by_side) each.carried = Arena();
    if (!wanted.side_by_side) return ensure(carried, wanted.group_bytes, scratch);
    for (WorkerMemory& each : memory) ensure(each.carried, wanted.group_bytes, scratch);
  }

  std::shared_ptr<const Plan> plan;
  const Program& program;
  SweepOptions options;
  Workers workers;
  std::vector<WorkerMemory> memory;
  CarryPlans plans;
  Arena carried;                 ///< of a group that all workers share
  bool carried_spilled = false;  ///< whether a file backs what is held
};

namespace {

/// One sweep: the request, its schedule, and where everything lies.
class Sweep {
 public:
  Sweep(const SweepRequest& request, const Schedule& schedule, const Program& program, const Plan& plan,
        Workers& workers, std::vector<WorkerMemory>& memory, const Progress& progress)
      : request_(request),
        schedule_(schedule),
        program_(program),
        plan_(plan),
        workers_(workers),
        memory_(memory),
        progress_(progress),
        sets_with_(schedule.parts.size()) {
    for (WorkerMemory& each : memory) {
      each.tail.resize(std::max(each.tail.size(), Tail::kTogether * schedule.tail.floats));
      each.waiting.clear();
    }
    for (const std::vector<PartIndex>& parts : schedule.made_of)
      for (const PartIndex part : parts) ++sets_with_[part];
    for (const auto& group : request.groups)
      total_ += static_cast<std::int64_t>(group.size() * schedule.segments.size());
  }

  /// Every worker takes whole groups: no waiting for each other.
  void run_side_by_side() {
    std::atomic<std::size_t> next = 0;
    workers_.run([&](std::size_t w) {
      for (std::size_t g = next++; g < request_.groups.size() && !workers_.stopped(); g = next++) {
        carry_group(
            g, reinterpret_cast<float*>(memory_[w].carried.data()),
            [&](const auto& image, const auto& last) {
              const std::size_t count = request_.groups[g].size();
              for (std::size_t i = 0; i < count && !workers_.stopped(); ++i) image(w, i, std::min(i + 1, count - 1));
              last(w);
            },
            1);
        finish(g);
      }
    });
  }

  /// All workers share the images of one group after the other. resident: of how many images the activations may stay
  /// in memory; a file holds them if that is not all.
  void run_together(std::byte* carried, std::size_t resident) {
    const std::size_t bytes = schedule_.carried_floats * sizeof(float);
    bool back = false;
    for (std::size_t g = 0; g < request_.groups.size(); ++g) {
      const std::size_t count = request_.groups[g].size();
      carry_group(
          g, reinterpret_cast<float*>(carried),
          [&](const auto& image, const auto& last) {
            std::atomic<std::size_t> next = 0;
            // There and back: what was touched last is still near when the next segment begins.
            const auto position = [&](std::size_t turn) { return back ? count - 1 - turn : turn; };
            workers_.run([&](std::size_t w) {
              for (std::size_t turn = next++; turn < count && !workers_.stopped();) {
                const std::size_t ahead = turn + workers_.count(), i = position(turn);
                if (resident < count && ahead < count) read_ahead(carried + position(ahead) * bytes, bytes);
                // The worker's next image is known before, except for the last ones, which go to any free worker.
                const bool known = next + workers_.count() < count;
                const std::size_t following = known ? next++ : turn;
                image(w, i, position(following < count ? following : turn));
                if (turn + resident < count) let_go(carried + i * bytes, bytes);
                turn = known ? following : next++;
              }
              last(w);
            });
            back = !back;
          },
          workers_.count());
      finish(g);
    }
  }

 private:
  /// for_each_image(f, last) calls f(worker, position in the group, position of the worker's next image or the same)
  /// for every image, on one or all workers, and last(worker) after the last one of each.
  template <class ForEachImage>
  void carry_group(std::size_t g, float* carried, ForEachImage for_each_image, std::size_t team) {
    std::vector<Affine> affines = request_.affines;
    Moments known;  // of earlier segments too
    for (const Segment& segment : schedule_.segments) {
      std::vector<Moments> moments(team);
      for (Moments& of_worker : moments) {
        for (const Action& action : segment.actions)
          for (const PartIndex part : action.parts) of_worker.try_emplace(part, pivot_of(part));
      }
      for_each_image(
          [&](std::size_t w, std::size_t i, std::size_t next) {
            progress_.check();
            float* mine = carried + i * schedule_.carried_floats;
            const float* after = i == next ? nullptr : carried + next * schedule_.carried_floats;
            carry_image(segment, request_.groups[g][i], mine, after, memory_[w], affines, moments[team == 1 ? 0 : w]);
            tell();
          },
          [&](std::size_t w) { run_tail(memory_[w], affines); });
      if (workers_.stopped()) return;
      if (segment.level > 0) finalize_level(g, segment, moments, known, affines);
    }
  }

  void finalize_level(std::size_t g, const Segment& segment, std::vector<Moments>& moments, Moments& known,
                      std::vector<Affine>& affines) {
    for (auto& [part, pooled] : moments.front()) {
      for (std::size_t w = 1; w < moments.size(); ++w) pooled.merge(moments[w].at(part));
      pooled.flush();
    }
    known.merge(moments.front());
    std::vector<LevelMoments> pooled;
    for (const SetIndex set : segment.sets) {
      const std::vector<PartIndex>& parts = schedule_.made_of[set];
      const bool own = parts.size() == 1 && sets_with_[parts.front()] == 1;
      pooled.push_back(own ? known.at(parts.front()).take(set) : side_by_side(set, parts, known));
    }
    request_.finalize_level(g, segment.level, pooled, affines);
  }

  [[nodiscard]] std::vector<float> pivot_of(PartIndex part) const {
    const MeasuredPart& p = schedule_.parts[part];
    const auto first = request_.pivots[p.set.number()].begin() + p.first;
    return {first, first + p.channels};
  }

  [[nodiscard]] const Layout& layout_of(InstanceIndex id) const { return program_.values[schedule_.origin[id]].layout; }
  [[nodiscard]] float* address(InstanceIndex id, float* carried, const WorkerMemory& mine) const {
    const Place& place = schedule_.places[id];
    return (place.carried ? carried : reinterpret_cast<float*>(mine.local.data())) + place.offset;
  }

  /// What a segment reads first of the image whose activations are at `next`; null: there is none.
  [[nodiscard]] std::span<const float> first_read(const Segment& segment, const float* next) const {
    if (next == nullptr || segment.actions.empty()) return {};
    const Action& first = segment.actions.front();
    if (first.measures() || first.src.empty()) return {};
    const InstanceIndex id = first.src.front();
    const Place& place = schedule_.places[id];
    if (!place.carried) return {};
    return {next + place.offset, static_cast<std::size_t>(layout_of(id).floats())};
  }

  void carry_image(const Segment& segment, std::size_t image, float* carried, const float* next, WorkerMemory& mine,
                   std::span<const Affine> affines, Moments& moments) const {
    if (segment.loads_input) {
      const auto floats = static_cast<std::size_t>(program_.values[kInputValue].layout.floats());
      request_.load(image, {address(kInputInstance, carried, mine), floats});
    }
    const bool ends = request_.output && &segment == &schedule_.segments.back();
    const std::span<const float> after = first_read(segment, next);
    const std::size_t alone = ends ? schedule_.tail.first : segment.actions.size();
    for (std::size_t a = 0; a < alone; ++a) {
      const Action& action = segment.actions[a];
      if (action.measures()) {
        measure(action, image, address(action.value, carried, mine), mine, moments);
        continue;
      }
      mine.src.clear();
      for (const InstanceIndex src : action.src) mine.src.push_back(address(src, carried, mine));
      KernelArguments all = arguments(action, mine.src, address(action.value, carried, mine), affines, mine);
      all.prefetch = {after, a == 0};
      step_of(action).kernel->run(all);
    }
    if (!ends) return;
    if (alone == segment.actions.size())
      return give_outputs(image, [&](InstanceIndex id) { return address(id, carried, mine); });
    for (const InstanceIndex id : schedule_.tail.kept)
      std::copy_n(address(id, carried, mine), layout_of(id).floats(), in_tail(id, mine.waiting.size(), mine));
    mine.waiting.push_back(image);
    if (mine.waiting.size() == Tail::kTogether) run_tail(mine, affines);
  }

  /// Of all images that wait for it.
  void run_tail(WorkerMemory& mine, std::span<const Affine> affines) const {
    const std::size_t count = mine.waiting.size();
    if (count == 0 || workers_.stopped()) return;
    const std::vector<Action>& actions = schedule_.segments.back().actions;
    for (std::size_t a = schedule_.tail.first; a < actions.size(); ++a) {
      const std::size_t sources = actions[a].src.size();
      mine.src.clear();
      for (std::size_t i = 0; i < count; ++i)
        for (const InstanceIndex src : actions[a].src) mine.src.push_back(in_tail(src, i, mine));
      mine.together.clear();
      for (std::size_t i = 0; i < count; ++i)
        mine.together.push_back(arguments(actions[a], std::span(mine.src).subspan(i * sources, sources),
                                          in_tail(actions[a].value, i, mine), affines, mine));
      step_of(actions[a]).kernel->run_several(mine.together);
    }
    for (std::size_t i = 0; i < count; ++i)
      give_outputs(mine.waiting[i], [&](InstanceIndex id) { return in_tail(id, i, mine); });
    mine.waiting.clear();
  }

  [[nodiscard]] float* in_tail(InstanceIndex id, std::size_t image, WorkerMemory& mine) const {
    return mine.tail.data() + image * schedule_.tail.floats + schedule_.tail.offset[id];
  }
  [[nodiscard]] const ProgramStep& step_of(const Action& action) const { return program_.steps[action.step]; }
  static KernelArguments arguments(const Action& action, std::span<const float* const> src, float* dst,
                                   std::span<const Affine> affines, WorkerMemory& mine) {
    return {src, dst, affines, mine.scratch.data(), mine.kernel_states[action.step].get(), {}};
  }

  template <class Address>
  void give_outputs(std::size_t image, const Address& address_of) const {
    for (std::size_t which = 0; which < schedule_.outputs.size(); ++which) {
      const InstanceIndex id = schedule_.outputs[which];
      request_.output(image, which, {address_of(id), static_cast<std::size_t>(layout_of(id).floats())});
    }
  }

  /// The layout of what is measured, which may never be written.
  [[nodiscard]] const Layout& measured_layout(const Action& action) const {
    if (!action.result_of.exists()) return layout_of(action.value);
    const ProgramStep& step = program_.steps[action.result_of];
    return program_.values[step.dst].layout;
  }

  void measure(const Action& action, std::size_t image, const float* x, WorkerMemory& mine, Moments& moments) const {
    const Layout& layout = measured_layout(action);
    const auto padded = static_cast<std::size_t>(layout.padded_channels()),
               channels = static_cast<std::size_t>(layout.channels);
    mine.sum.resize(padded);
    mine.square.resize(padded);
    // What is not written may be too large for float without anything being infinite here.
    constexpr double kFloat = std::numeric_limits<float>::max();
    const double largest = !action.result_of.exists() ? std::numeric_limits<double>::infinity() : kFloat * kFloat;
    for (const PartIndex part : action.parts) {
      PartMoments& total = moments.at(part);
      if (action.result_of.exists())
        program_.steps[action.result_of].kernel->result_moments(
            x, total.pivot(), mine.scratch.data(), {mine.sum.data(), channels}, {mine.square.data(), channels});
      else
        sum_blocks(layout, x, total.pivot().data(), mine);
      for (std::size_t c = 0; c < channels; ++c)
        if (!std::isfinite(mine.sum[c]) || !(mine.square[c] < largest))
          throw_non_finite(part, static_cast<std::int64_t>(c), image);
      total.add({mine.sum.data(), channels}, {mine.square.data(), channels}, layout.pixels);
    }
  }

  static void sum_blocks(const Layout& layout, const float* x, const float* pivot, WorkerMemory& mine) {
    const auto channels = static_cast<std::size_t>(layout.channels), block = static_cast<std::size_t>(layout.block),
               pixels = static_cast<std::size_t>(layout.pixels);
    float last_pivot[16] = {};  // the last block may reach beyond the channels
    for (std::size_t c = 0; c < channels; c += block) {
      const float* p = pivot + c;
      if (c + block > channels) {
        std::copy(pivot + c, pivot + channels, last_pivot);
        p = last_pivot;
      }
      block_moments(x + c * pixels, p, pixels, block, mine.sum.data() + c, mine.square.data() + c);
    }
  }

  [[noreturn]] void throw_non_finite(PartIndex part, std::int64_t channel, std::size_t image) const {
    const MeasuredPart& p = schedule_.parts[part];
    throw NonFinite(plan_.sets()[p.set.number()].name, p.first + channel, image);
  }

  void tell() {
    if (!progress_.report) return;
    const std::lock_guard lock(progress_mutex_);
    progress_.tell(request_.stage, ++told_, total_);
  }

  /// Groups may end out of order; the caller hears of them in order.
  void finish(std::size_t g) {
    if (!request_.group_done || workers_.stopped()) return;
    const std::lock_guard lock(order_mutex_);
    ended_.push_back(g);
    for (auto it = ended_.begin(); (it = std::find(ended_.begin(), ended_.end(), next_in_order_)) != ended_.end();) {
      ended_.erase(it);
      request_.group_done(next_in_order_++);
    }
  }

  const SweepRequest& request_;
  const Schedule& schedule_;
  const Program& program_;
  const Plan& plan_;
  Workers& workers_;
  std::vector<WorkerMemory>& memory_;
  const Progress& progress_;
  Indexed<PartIndex, int> sets_with_;  ///< how many sets have it
  std::mutex progress_mutex_, order_mutex_;
  std::int64_t told_ = 0, total_ = 0;
  std::vector<std::size_t> ended_;
  std::size_t next_in_order_ = 0;
};

}  // namespace

Sweeper::Sweeper(std::shared_ptr<const Plan> plan, SweepOptions options)
    : state_(std::make_unique<State>(std::move(plan), std::move(options))) {}
Sweeper::~Sweeper() = default;

SweepEstimate Sweeper::estimate(const SweepRequest& request) const { return state_->carry_plan(request).estimate; }

void Sweeper::run(const SweepRequest& request, const Progress& progress) {
  const CarryPlan& plan = state_->carry_plan(request);
  const Schedule& schedule = plan.schedule;
  if (schedule.segments.empty()) return;
  const std::string scratch = plan.estimate.spills ? state_->options.scratch_directory : "";
  for (WorkerMemory& memory : state_->memory) {
    ensure(memory.local, schedule.local_floats * sizeof(float), "");
    memory.scratch.resize(std::max(memory.scratch.size(), schedule.scratch_bytes));
  }
  state_->reserve_carried(plan, scratch);
  Sweep sweep(request, schedule, state_->program, *state_->plan, state_->workers, state_->memory, progress);
  if (plan.side_by_side) {
    sweep.run_side_by_side();
  } else {
    constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max() / 2;
    const std::size_t image_bytes = std::max<std::size_t>(1, schedule.carried_floats * sizeof(float));
    sweep.run_together(state_->carried.data(), scratch.empty() ? kAll : state_->limit() / image_bytes);
  }
}

}  // namespace shiftnorm::exec
