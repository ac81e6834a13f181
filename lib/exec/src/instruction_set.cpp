#include "shiftnorm/exec/instruction_set.hpp"

#include <fmt/format.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <dnnl.hpp>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::exec {

namespace {

struct Name {
  dnnl::cpu_isa isa;
  std::string_view name;
};
// Narrow ones first: everything that is not listed is AVX-512 or wider.
constexpr std::array<Name, 4> kNarrow{{{dnnl::cpu_isa::sse41, "sse41"},
                                       {dnnl::cpu_isa::avx, "avx"},
                                       {dnnl::cpu_isa::avx2, "avx2"},
                                       {dnnl::cpu_isa::avx2_vnni, "avx2_vnni"}}};
constexpr std::array<Name, 4> kWide{{{dnnl::cpu_isa::avx512_core, "avx512_core"},
                                     {dnnl::cpu_isa::avx512_core_vnni, "avx512_core_vnni"},
                                     {dnnl::cpu_isa::avx512_core_bf16, "avx512_core_bf16"},
                                     {dnnl::cpu_isa::avx512_core_amx, "avx512_core_amx"}}};

}  // namespace

std::string instruction_set() {
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  for (const auto& names : {kNarrow, kWide})
    for (const Name& n : names)
      if (n.isa == isa) return std::string(n.name);
  return "baseline";
}

std::int64_t channel_block() {
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  return std::any_of(kWide.begin(), kWide.end(), [isa](const Name& n) { return n.isa == isa; }) ? 16 : 8;
}

void limit_instruction_set(std::string_view name) {
  struct Limit {
    std::string_view name;
    dnnl::cpu_isa isa;
    std::int64_t disabled;  // Highway targets above it
  };
  constexpr std::int64_t kAvx512 = HWY_AVX3 | HWY_AVX3_DL;
  constexpr Limit kLimits[]{{"sse41", dnnl::cpu_isa::sse41, kAvx512 | HWY_AVX2},
                            {"avx2", dnnl::cpu_isa::avx2, kAvx512},
                            {"avx512_core", dnnl::cpu_isa::avx512_core, 0}};
  for (const Limit& limit : kLimits) {
    if (limit.name != name) continue;
    if (dnnl::set_max_cpu_isa(limit.isa) != dnnl::status::success)
      throw ConfigError("instruction set: kernels exist already; expected the limit before the first of them");
    hwy::DisableTargets(limit.disabled);
    return;
  }
  throw ConfigError(fmt::format("instruction set '{}'; expected sse41, avx2 or avx512_core", name));
}

}  // namespace shiftnorm::exec
