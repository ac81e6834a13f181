#include "shiftnorm/exec/plan.hpp"

#include <omp.h>

#include <algorithm>

#include "lowering.hpp"
#include "program.hpp"
#include "shiftnorm/exec/instruction_set.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::exec {
namespace {

/// How many steps read each value, as sources of their own or of what is fused; outputs count too.
Indexed<ValueIndex, int> readers_of(const Program& program) {
  Indexed<ValueIndex, int> readers(program.values.size(), 0);
  for (const ProgramStep& step : program.steps)
    for (const ValueIndex src : step.src) ++readers[src];
  for (const ValueIndex output : program.outputs) ++readers[output];
  return readers;
}

}  // namespace

Plan::Plan(const graph::Graph& graph) : Plan(graph, graph::batch_norms(graph)) {}

Plan::Plan(const graph::Graph& graph, std::vector<graph::BatchNorm> sets)
    : sets_(std::move(sets)), program_(std::make_unique<Program>()) {
  // oneDNN fixes the size of a primitive's thread team when it is created; workers run single-threaded kernels.
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  program_->block = channel_block();
  try {
    graph::check_images_apart(graph);
    Lowering(graph, sets_, *program_).run();
  } catch (...) {
    omp_set_num_threads(before);
    throw;
  }
  omp_set_num_threads(before);
}

Plan::~Plan() = default;

const Shape& Plan::input() const noexcept { return program_->values.front().shape; }
std::size_t Plan::outputs() const noexcept { return program_->outputs.size(); }
const Shape& Plan::output(std::size_t which) const { return program_->values[program_->outputs.at(which)].shape; }

std::vector<PlanStep> Plan::steps() const {
  std::vector<PlanStep> out;
  const Indexed<ValueIndex, int> readers = readers_of(*program_);
  for (const StepIndex number : program_->steps.indices()) {
    const ProgramStep& step = program_->steps[number];
    const ProgramValue& result = program_->values[step.dst];
    if (result.producer != number || readers[step.dst] == 0) continue;  // the form in one pass; taken in by a kernel
    PlanStep& described = out.emplace_back();
    described.op = step.op;
    described.node = step.name;
    described.kernel = step.kernel_name;
    described.shape = result.shape;
    described.form = step.form;
    if (step.fused.exists()) described.one_pass = program_->steps[step.fused].kernel_name;
  }
  return out;
}

Affine Plan::affine(std::span<const double> scale, std::span<const double> shift) const {
  const auto block = static_cast<std::size_t>(program_->block);
  const std::size_t padded = (scale.size() + block - 1) / block * block;
  Affine out;
  out.scale.assign(padded, 0.0f);
  out.shift.assign(padded, 0.0f);
  std::transform(scale.begin(), scale.end(), out.scale.begin(), [](double v) { return static_cast<float>(v); });
  std::transform(shift.begin(), shift.end(), out.shift.begin(), [](double v) { return static_cast<float>(v); });
  return out;
}

}  // namespace shiftnorm::exec
