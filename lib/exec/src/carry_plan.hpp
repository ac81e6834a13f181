#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "schedule.hpp"
#include "shiftnorm/exec/sweep.hpp"

namespace shiftnorm::exec {

/// How a request is carried out.
struct CarryPlan {
  Schedule schedule;
  SweepEstimate estimate;
  std::size_t group_bytes = 0;  ///< carried for the largest group
  bool side_by_side = false;    ///< every worker carries groups of its own
};

/// The plans of one program's requests. They are kept for requests that come again: a study sweeps one network many
/// times in a few ways.
class CarryPlans {
 public:
  CarryPlans(const Program& program, std::size_t workers) : program_(program), workers_(workers) {}

  /// limit: carried bytes that may be in memory. The plan is there until the next call.
  [[nodiscard]] const CarryPlan& plan(const SweepRequest& request, std::uint64_t limit);

 private:
  struct GroupSizes {
    std::size_t count = 0, largest = 0, images = 0;
    friend bool operator==(const GroupSizes&, const GroupSizes&) = default;
  };
  struct Question {
    std::vector<std::int64_t> levels;
    bool layerwise = true;
    std::size_t outputs = 0;
    GroupSizes groups;
    friend bool operator==(const Question&, const Question&) = default;
  };

  static GroupSizes sizes_of(const SweepRequest& request);
  [[nodiscard]] bool runs_side_by_side(const GroupSizes& groups) const;
  [[nodiscard]] CarryPlan plan_for(const Question& question, std::uint64_t limit) const;

  const Program& program_;
  std::size_t workers_;
  std::vector<std::pair<Question, CarryPlan>> plans_;
};

}  // namespace shiftnorm::exec
