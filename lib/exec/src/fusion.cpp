#include "fusion.hpp"

#include <map>

namespace shiftnorm::exec {
namespace {

class Fusing {
 public:
  Fusing(Program& program, const Fusible& fusible)
      : program_(program), fusible_(fusible), readers_(program.values.size(), 0) {
    for (const ProgramStep& step : program.steps)
      for (const ValueIndex value : step.src) ++readers_[value];
    for (const ValueIndex value : program.outputs) ++readers_[value];
  }

  void take_in_gates() {
    for (ProgramStep& each : program_.steps) {
      const ValueIndex product = each.src.empty() ? ValueIndex() : each.src.front();
      if (!product.exists() || !fusible_.gated.contains(product) || !read_once(product)) continue;
      std::unique_ptr<Kernel> kernel = each.kernel->with_gate();
      if (!kernel) continue;
      each.kernel = std::move(kernel);
      each.src = step(value(product).producer).src;
    }
  }

  /// Each normalisation of a convolution's result that nothing else reads.
  void add_epilogues() {
    for (const auto& [number, terms] : fusible_.normalisations) {
      const std::vector<ValueIndex> src = step(number).src;
      for (std::size_t t = 0; t < src.size(); ++t)
        if (read_once(src[t]) && add_epilogue(number, terms, t)) break;
    }
  }

  /// Each convolution of a normalisation that nothing else reads.
  void add_prologues() {
    std::map<ValueIndex, const std::pair<StepIndex, NormaliseTerms>*> by_result;
    for (const auto& each : fusible_.normalisations) by_result[step(each.first).dst] = &each;
    for (const StepIndex number : program_.steps.indices()) {  // those that there are now
      ProgramStep& convolution = step(number);
      const auto found = convolution.src.size() == 1 ? by_result.find(convolution.src.front()) : by_result.end();
      if (found == by_result.end() || convolution.between.exists() || !read_once(found->first)) continue;
      const auto& [normalisation, terms] = *found->second;
      if (terms.terms != 1 || !terms.set[0].exists()) continue;
      std::unique_ptr<Kernel> kernel = convolution.kernel->with_prologue({terms.set[0], terms.relu, terms.activation});
      if (kernel)
        add(convolution, step(normalisation).src, step(normalisation).sets, convolution, std::move(kernel),
            found->first, true);
    }
  }

 private:
  [[nodiscard]] ProgramStep& step(StepIndex number) const { return program_.steps[number]; }
  [[nodiscard]] ProgramValue& value(ValueIndex id) const { return program_.values[id]; }
  [[nodiscard]] bool read_once(ValueIndex id) const { return readers_[id] == 1; }

  bool add_epilogue(StepIndex number, const NormaliseTerms& terms, std::size_t t) {
    ProgramStep& normalisation = step(number);
    const ValueIndex between = normalisation.src[t];
    const StepIndex producer = value(between).producer;
    const Epilogue epilogue = epilogue_of(terms, t);
    if (!producer.exists() || (epilogue.residual && terms.set[1 - t].exists())) return false;
    const ProgramStep& convolution = step(producer);
    std::unique_ptr<Kernel> kernel = convolution.kernel->with_epilogue(epilogue);
    if (!kernel) return false;
    std::vector<ValueIndex> src = convolution.src;
    if (epilogue.residual) src.push_back(normalisation.src[1 - t]);
    value(between).measured_unwritten = convolution.kernel->knows_moments();
    add(normalisation, std::move(src), normalisation.sets, convolution, std::move(kernel), between, false);
    return true;
  }

  /// The second of two steps gets a form that does both; the kernel is the convolution's.
  void add(ProgramStep& second, std::vector<ValueIndex> src, std::vector<SetIndex> sets, const ProgramStep& convolution,
           std::unique_ptr<Kernel> kernel, ValueIndex between, bool prologue) {
    second.between = between;
    second.fused = program_.steps.next();
    program_.steps.push_back({second.name,
                              second.op,
                              std::move(src),
                              second.dst,
                              std::move(sets),
                              convolution.kernel_name,
                              convolution.form,
                              std::move(kernel),
                              {},
                              between,
                              prologue});
  }

  Program& program_;
  const Fusible& fusible_;
  Indexed<ValueIndex, int> readers_;
};

}  // namespace

void fuse(Program& program, const Fusible& fusible) {
  Fusing fusing(program, fusible);
  fusing.take_in_gates();
  // Gates change what steps read, but not how often.
  fusing.add_epilogues();
  fusing.add_prologues();
}

}  // namespace shiftnorm::exec
