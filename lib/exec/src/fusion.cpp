#include "fusion.hpp"

#include <map>

namespace shiftnorm::exec {
namespace {

class Fusing {
 public:
  Fusing(Program& program, const Fusible& fusible)
      : program_(program), fusible_(fusible), readers_(program.values.size(), 0) {
    for (const ProgramStep& step : program.steps)
      for (const int value : step.src) ++readers_[static_cast<std::size_t>(value)];
    for (const int value : program.outputs) ++readers_[static_cast<std::size_t>(value)];
  }

  void take_in_gates() {
    for (ProgramStep& each : program_.steps) {
      const int product = each.src.empty() ? -1 : each.src.front();
      if (product < 0 || !fusible_.gated.contains(product) || !read_once(product)) continue;
      std::unique_ptr<Kernel> kernel = each.kernel->with_gate();
      if (!kernel) continue;
      each.kernel = std::move(kernel);
      each.src = step(value(product).producer).src;
    }
  }

  /// Each normalisation of a convolution's result that nothing else reads.
  void add_epilogues() {
    for (const auto& [number, terms] : fusible_.normalisations) {
      const std::vector<int> src = step(number).src;
      for (std::size_t t = 0; t < src.size(); ++t)
        if (read_once(src[t]) && add_epilogue(number, terms, t)) break;
    }
  }

  /// Each convolution of a normalisation that nothing else reads.
  void add_prologues() {
    std::map<int, const std::pair<int, NormaliseTerms>*> by_result;
    for (const auto& each : fusible_.normalisations) by_result[step(each.first).dst] = &each;
    for (int number = 0, steps = static_cast<int>(program_.steps.size()); number < steps; ++number) {
      ProgramStep& convolution = step(number);
      const auto found = convolution.src.size() == 1 ? by_result.find(convolution.src.front()) : by_result.end();
      if (found == by_result.end() || convolution.between >= 0 || !read_once(found->first)) continue;
      const auto& [normalisation, terms] = *found->second;
      if (terms.terms != 1 || terms.set[0] < 0) continue;
      std::unique_ptr<Kernel> kernel = convolution.kernel->with_prologue({terms.set[0], terms.relu, terms.activation});
      if (kernel)
        add(convolution, step(normalisation).src, step(normalisation).sets, std::move(kernel), found->first, true);
    }
  }

 private:
  [[nodiscard]] ProgramStep& step(int number) const { return program_.steps[static_cast<std::size_t>(number)]; }
  [[nodiscard]] ProgramValue& value(int id) const { return program_.values[static_cast<std::size_t>(id)]; }
  [[nodiscard]] bool read_once(int id) const { return readers_[static_cast<std::size_t>(id)] == 1; }

  bool add_epilogue(int number, const NormaliseTerms& terms, std::size_t t) {
    ProgramStep& normalisation = step(number);
    const int between = normalisation.src[t], producer = value(between).producer;
    const Epilogue epilogue = epilogue_of(terms, t);
    if (producer < 0 || (epilogue.residual && terms.set[1 - t] >= 0)) return false;
    const ProgramStep& convolution = step(producer);
    std::unique_ptr<Kernel> kernel = convolution.kernel->with_epilogue(epilogue);
    if (!kernel) return false;
    std::vector<int> src = convolution.src;
    if (epilogue.residual) src.push_back(normalisation.src[1 - t]);
    value(between).measured_unwritten = convolution.kernel->knows_moments();
    add(normalisation, std::move(src), normalisation.sets, std::move(kernel), between, false);
    return true;
  }

  /// The second of two steps gets a form that stands for both.
  void add(ProgramStep& second, std::vector<int> src, std::vector<int> sets, std::unique_ptr<Kernel> kernel,
           int between, bool prologue) {
    second.between = between;
    second.fused = static_cast<int>(program_.steps.size());
    program_.steps.push_back(
        {second.name, std::move(src), second.dst, std::move(sets), std::move(kernel), -1, between, prologue});
  }

  Program& program_;
  const Fusible& fusible_;
  std::vector<int> readers_;
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
