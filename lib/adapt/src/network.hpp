#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/exec/plan.hpp"
#include "shiftnorm/exec/sweep.hpp"

namespace shiftnorm::adapt {

/// A plan with its threads. `owner`: the BatchNorm that each of the plan's sets belongs to.
struct Network {
  std::shared_ptr<const exec::Plan> plan;
  exec::Sweeper sweeper;
  std::vector<std::size_t> owner;

  Network(std::shared_ptr<const exec::Plan> p, const EngineOptions& o, std::vector<std::size_t> owners)
      : plan(std::move(p)), sweeper(plan, {o.threads, o.memory, o.scratch_directory}), owner(std::move(owners)) {}
};

/// The owners of a plan whose sets are the BatchNorms themselves.
[[nodiscard]] std::vector<std::size_t> each_its_own(std::size_t count);

/// With BatchNorms that are applied several times, a plan in which every application is a set: null without any.
[[nodiscard]] std::unique_ptr<Network> use_by_use(const graph::Graph& graph,
                                                  const std::vector<graph::BatchNorm>& layers,
                                                  const EngineOptions& options);

/// Sets that feed an output; auxiliary heads unused in inference are never reached and keep their source statistics.
[[nodiscard]] std::vector<bool> reached(const graph::Graph& graph, const std::vector<graph::BatchNorm>& layers);

}  // namespace shiftnorm::adapt
