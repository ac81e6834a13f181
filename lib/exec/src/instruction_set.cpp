#include "shiftnorm/exec/instruction_set.hpp"

#include <hwy/highway.h>

#include <dnnl.hpp>
#include <optional>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/names.hpp"

namespace shiftnorm::exec {

namespace {

constexpr std::int64_t kAvx512 = HWY_AVX3 | HWY_AVX3_DL;

struct IsaFacts {
  std::string_view name;
  dnnl::cpu_isa value;
  bool wide = false;                                    ///< AVX-512 or wider
  std::optional<std::int64_t> disabled = std::nullopt;  ///< a limit that can be set: Highway's targets above it
};
constexpr auto kIsas = names<IsaFacts>("instruction set", {{"sse41", dnnl::cpu_isa::sse41, false, kAvx512 | HWY_AVX2},
                                                           {"avx", dnnl::cpu_isa::avx},
                                                           {"avx2", dnnl::cpu_isa::avx2, false, kAvx512},
                                                           {"avx2_vnni", dnnl::cpu_isa::avx2_vnni},
                                                           {"avx512_core", dnnl::cpu_isa::avx512_core, true, 0},
                                                           {"avx512_core_vnni", dnnl::cpu_isa::avx512_core_vnni, true},
                                                           {"avx512_core_bf16", dnnl::cpu_isa::avx512_core_bf16, true},
                                                           {"avx512_core_amx", dnnl::cpu_isa::avx512_core_amx, true}});

const IsaFacts* here() { return kIsas.find(dnnl::get_effective_cpu_isa()); }

}  // namespace

std::string instruction_set() {
  const IsaFacts* isa = here();
  return isa == nullptr ? "baseline" : std::string(isa->name);
}

std::int64_t channel_block() {
  const IsaFacts* isa = here();
  return isa != nullptr && isa->wide ? 16 : 8;
}

void limit_instruction_set(std::string_view name) {
  const IsaFacts* limit = kIsas.find(name);
  if (limit == nullptr || !limit->disabled) {
    std::vector<std::string> limits;
    for (const IsaFacts& isa : kIsas)
      if (isa.disabled) limits.emplace_back(isa.name);
    refuse_name("instruction set", name, limits);
  }
  if (dnnl::set_max_cpu_isa(limit->value) != dnnl::status::success)
    throw ConfigError("instruction set: kernels exist already; expected the limit before the first of them");
  hwy::DisableTargets(*limit->disabled);
}

}  // namespace shiftnorm::exec
