#include "carry_plan.hpp"

#include <algorithm>

namespace shiftnorm::exec {
namespace {

/// What a carried byte costs in floating-point operations (choose_recomputed()): memory has to be taken from
/// the system and moved from and to the cores; a scratch file is some ten times slower.
constexpr double kMemoryCost = 40, kDiskCost = 800;
/// Up to here caches hold most of what is carried, and memory costs nothing.
constexpr std::uint64_t kCached = std::uint64_t{64} << 20;

}  // namespace

CarryPlans::GroupSizes CarryPlans::sizes_of(const SweepRequest& request) {
  GroupSizes sizes{request.groups.size(), 0, 0};
  for (const auto& group : request.groups) {
    sizes.largest = std::max(sizes.largest, group.size());
    sizes.images += group.size();
  }
  return sizes;
}

/// A group that is most of the images would leave the others waiting.
bool CarryPlans::runs_side_by_side(const GroupSizes& groups) const {
  return groups.count >= workers_ && 2 * workers_ * groups.largest <= 3 * groups.images;
}

const CarryPlan& CarryPlans::plan(const SweepRequest& request, std::uint64_t limit) {
  const Question question{request.levels, request.layerwise, request.output ? request.outputs : 0, sizes_of(request)};
  constexpr std::size_t kKept = 8;
  const auto known = std::ranges::find(plans_, question, &std::pair<Question, CarryPlan>::first);
  if (known != plans_.end()) return known->second;
  if (plans_.size() == kKept) plans_.erase(plans_.begin());
  return plans_.emplace_back(question, plan_for(question, limit)).second;
}

CarryPlan CarryPlans::plan_for(const Question& q, std::uint64_t limit) const {
  const bool side_by_side = runs_side_by_side(q.groups);
  const std::size_t images = q.groups.largest * (side_by_side ? workers_ : 1);
  CarryPlan out;
  for (const double cost : {0.0, kMemoryCost, kDiskCost}) {
    out = {make_schedule(program_, q.levels, q.layerwise, q.outputs, cost), {}, 0, side_by_side};
    out.group_bytes = q.groups.largest * out.schedule.carried_floats * sizeof(float);
    out.estimate.carried_bytes = images * out.schedule.carried_floats * sizeof(float);
    out.estimate.local_bytes = workers_ * (out.schedule.local_floats * sizeof(float) + out.schedule.scratch_bytes);
    out.estimate.moved_bytes = q.groups.images * out.schedule.carried_traffic * sizeof(float);
    out.estimate.spills = out.estimate.carried_bytes > limit;
    if (!out.estimate.spills && (cost > 0 || out.estimate.carried_bytes < kCached)) break;
  }
  return out;
}

}  // namespace shiftnorm::exec
